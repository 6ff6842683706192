import { describe, expect, it } from 'vitest';
import { PeerRules, type Traffic, type Verdict } from '../../../../src/tunnels/ssh/guard/peer-rules.ts';

const REST: Traffic = { now: 0, received: 0, written: 0, waiting: 0 };

/** The verdicts on `count` messages, one every `everyMs`, each after `sent` bytes of ours. */
function judgeMany(rules: PeerRules, type: number, count: number, everyMs = 0, sent = 0, from: Partial<Traffic> = {}) {
  const verdicts: Verdict[] = [];
  for (let n = 0; n < count; n++)
    verdicts.push(
      rules.judge(type, 100, () => ({ ...REST, ...from, now: n * everyMs, written: (from.written ?? 0) + n * sent })),
    );
  return verdicts;
}

const broken = (verdicts: readonly Verdict[]) => verdicts.filter((verdict) => typeof verdict === 'object').length;

describe(PeerRules, () => {
  it.each([
    ['a keepalive every second for an hour', 80, 3_600, 1_000, 0],
    ['a window adjustment for each packet of ours', 93, 100_000, 0, 64],
    ['answers to 100,000 opens', 91, 100_000, 0, 100],
    ['100,000 pieces of data', 94, 100_000, 0, 0],
    ['a key exchange for each 2 MB', 20, 1_000, 5, 2_000_000],
    ['connections of a remote listener that are answered', 90, 100_000, 0, 36],
  ])('accepts %s', (_, type, count, everyMs, sent) => {
    expect(broken(judgeMany(new PeerRules(), type, count, everyMs, sent))).toBe(0);
  });

  it('accepts a message to ignore before each other message, and drops the messages to ignore', () => {
    const rules = new PeerRules();
    const verdicts = new Set<string>();
    for (let n = 0; n < 100_000; n++)
      verdicts.add(`${rules.judge(94, 1_000, () => REST)}, ${rules.judge(2, 5, () => REST)}`);
    expect([...verdicts]).toEqual(['pass, drop']);
  });

  it.each([
    ['global requests', 80],
    ['messages to ignore', 2],
    ['messages of an unknown kind', 200],
    ['answers that nobody asked for', 82],
  ])('rejects a flood of %s after 1,000, and accepts 100 more in each second', (_, type) => {
    const rules = new PeerRules();
    const verdicts = judgeMany(rules, type, 1_001);
    expect([broken(verdicts.slice(0, 1_000)), broken(verdicts)]).toEqual([0, 1]);
    expect(broken(judgeMany(rules, type, 101, 0, 0, {}))).toBe(101);
    expect(rules.judge(type, 100, () => ({ ...REST, now: 1_000 }))).not.toHaveProperty('broken');
  });

  it('rejects data without bytes like any other message without use', () => {
    const rules = new PeerRules();
    const verdicts = Array.from({ length: 1_001 }, () => rules.judge(94, 9, () => REST));
    expect(broken(verdicts)).toBe(1);
  });

  it('rejects requests when the peer reads none of the answers, however slowly the requests come', () => {
    const stuck = { written: 5_000_000, waiting: 4_000_000 };
    expect(broken(judgeMany(new PeerRules(), 90, 1_000, 1_000, 0, stuck))).toBe(0);
    expect(broken(judgeMany(new PeerRules(), 90, 1_002, 1_000, 0, stuck))).toBeGreaterThan(0);
  });

  it('accepts requests of a peer that reads slowly', () => {
    const rules = new PeerRules();
    for (let n = 0; n < 10_000; n++) {
      const traffic = { ...REST, written: 4_000_000 + n * 1_000, waiting: 4_000_000 };
      expect(rules.judge(90, 100, () => traffic)).toBe('pass');
    }
  });

  it('drops messages of a login that is over', () => {
    for (const type of [5, 6, 50, 51, 52, 53, 60]) expect(new PeerRules().judge(type, 10, () => REST)).toBe('drop');
  });

  it('accepts as many connections as a busy server has, refuses more, and rejects a flood', () => {
    const rules = new PeerRules();
    const verdictsOf = (count: number, everyMs: number, from: number) =>
      Array.from({ length: count }, (_, n) => rules.connection({ ...REST, now: from + n * everyMs }));
    expect(new Set(verdictsOf(60_000, 0.5, 0))).toEqual(new Set(['pass']));
    const flood = verdictsOf(100_000, 0, 30_000);
    expect(flood.filter((verdict) => verdict === 'drop')).toHaveLength(20_000);
    expect(flood.at(-1)).toEqual({ broken: 'floods the session with connections' });
  });

  it('rejects key exchanges without traffic', () => {
    expect(broken(judgeMany(new PeerRules(), 20, 31))).toBe(1);
  });
});

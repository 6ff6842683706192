import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { carryError, strandedError } from '../../../../src/tunnels/link/jump.ts';
import { Roster } from '../../../../src/tunnels/link/roster.ts';
import { credentialFacts, FakeSession } from '../../../support/fakes/fake-link.ts';

const target = { kind: 'tcp', host: '192.0.2.7', port: 22 } as const;

describe(strandedError, () => {
  it("has the code, the hint and the words of the jump host's own trouble", () => {
    const lastError = new TunnelError('auth_rejected', 'bastion rejected the login', { hint: 'Mend the key.' });
    expect(strandedError({ hostName: 'bastion', lastError })).toMatchObject({
      code: 'auth_rejected',
      retryable: false,
      message: 'its jump host bastion is not reachable: bastion rejected the login',
      hint: 'Mend the key.',
    });
  });
});

describe(carryError, () => {
  it.each([
    ['target_refused', 'connect_refused', '192.0.2.7:22 refused the connection from jump host bastion'],
    ['target_unreachable', 'connect_timeout', '192.0.2.7:22 is not reached from jump host bastion'],
    ['forward_denied', 'forward_denied', '192.0.2.7:22 may not be reached from jump host bastion'],
    ['connection_reset', 'connection_reset', 'its jump host bastion is not reachable: why'],
    // Not ours to hold against our own credential.
    ['auth_rejected', 'connection_reset', 'its jump host bastion is not reachable: why'],
  ] as const)('%s becomes %s: %s', (code, becomes, message) => {
    expect(carryError(target, 'bastion', new TunnelError(code, 'why'))).toMatchObject({ code: becomes, message });
  });
});

describe('the session that carries another', () => {
  const facts = credentialFacts('agent', { type: 'agent', fingerprint: undefined });
  const load = (all: number) => ({ toTarget: 0, all });
  const rosterOf = (count: number) => {
    const roster = new Roster();
    const sessions = Array.from({ length: count }, () => new FakeSession());
    const held = sessions.map((session) => roster.add(session, facts, roster.generation));
    return { roster, sessions, held };
  };

  it('is the one that carries the fewest', () => {
    const { roster, held } = rosterOf(3);
    const carried = new Map([
      [held[0], 2],
      [held[1], 1],
      [held[2], 1],
    ]);
    expect(roster.chooseCarrier((each) => load(carried.get(each) ?? 0))).toBe(held[1]);
  });

  it('is before all the one that carries the fewest to that host', () => {
    const { roster, held } = rosterOf(2);
    expect(roster.chooseCarrier((each) => (each === held[0] ? { toTarget: 1, all: 1 } : { toTarget: 0, all: 9 }))).toBe(
      held[1],
    );
  });

  it('is not suspect if another one is not', () => {
    const { roster, sessions, held } = rosterOf(2);
    Object.assign(sessions[0] ?? {}, { suspect: true });
    expect(roster.chooseCarrier((each) => load(each === held[1] ? 9 : 0))).toBe(held[1]);
  });

  it('may be of old settings while there is no other, and never one whose place is taken', () => {
    const { roster, held } = rosterOf(1);
    roster.nextGeneration();
    expect(roster.chooseCarrier(() => load(0))).toBe(held[0]);
    const fresh = roster.add(new FakeSession(), facts, roster.generation);
    roster.shed(1, 0);
    expect(roster.chooseCarrier((each) => load(each === fresh ? 5 : 0))).toBe(fresh);
    Object.assign(fresh.session, { usable: false });
    expect(roster.chooseCarrier(() => load(0))).toBeUndefined();
  });

  it('takes what it carries with it: that is leaving as soon as it is replaced itself', () => {
    const { roster } = rosterOf(0);
    let leaving = false;
    const carrier = {
      channel: { stream: undefined, onLost() {}, close() {} } as never,
      get leaving() {
        return leaving;
      },
      check() {},
    };
    const route = { kind: 'jump', host: 'b', carrier, another: async () => carrier } as const;
    const held = roster.add(new FakeSession(), facts, roster.generation, route);
    expect(roster.current).toEqual([held]);
    leaving = true;
    expect(roster.current).toEqual([]);
    expect(roster.choose()).toBe(held);
  });
});

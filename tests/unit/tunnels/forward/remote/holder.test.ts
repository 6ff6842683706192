import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TunnelError } from '../../../../../src/base/errors.ts';
import { FarHolder, nextPlace } from '../../../../../src/tunnels/forward/remote/holder.ts';
import type { Proof } from '../../../../../src/tunnels/forward/remote/proof.ts';
import { type FakeFarSession, FarServer } from '../../../../support/peers/far-server.ts';

const options = { listen: { kind: 'tcp', host: '127.0.0.1', port: 8_000 }, host: 'hub' } as const;

/** A holder, the sessions that its link offers, and the gaps that it reports. */
function holderOver(offered: FakeFarSession[], proof: Proof = { kind: 'proven' }) {
  const gaps: (number | undefined)[] = [];
  const holder = new FarHolder(options, {
    sessions: () => offered.filter(({ usable }) => usable),
    onConnection() {},
    prove: async () => proof,
    onChange() {},
    onBound: (gap) => gaps.push(gap),
    random: () => 0,
  });
  return { holder, gaps };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const settle = (ms = 50) => vi.advanceTimersByTimeAsync(ms);

describe(nextPlace, () => {
  it('keeps the present session while it is a candidate, and else chooses the best', () => {
    const [a, b] = [new FarServer().session('a'), new FarServer().session('b')];
    expect(nextPlace(a, [b, a])).toBeUndefined();
    expect(nextPlace(a, [b])).toBe(b);
    expect(nextPlace(undefined, [a, b])).toBe(a);
    expect(nextPlace(a, [])).toBeUndefined();
  });
});

describe(FarHolder, () => {
  it('binds on another session at once when its own dies, and measures the gap', async () => {
    const server = new FarServer();
    const [a, b] = [server.session('a'), server.session('b')];
    const { holder, gaps } = holderOver([a, b]);
    await holder.start();
    await settle();
    expect(holder.condition).toEqual({ kind: 'serving' });
    a.die();
    await settle(0);
    expect(server.holder).toBe(b);
    expect(gaps).toEqual([undefined, expect.any(Number)]);
    await holder.stop();
    expect(server.holder).toBeUndefined();
    expect([b.made, b.released]).toEqual([1, 1]);
  });

  it('stays proven while it moves, until the new proof fails', async () => {
    const server = new FarServer();
    const [a, b] = [server.session('a'), server.session('b')];
    const offered = [a];
    let prove = (_: Proof): void => {};
    const holder = new FarHolder(options, {
      sessions: () => [...offered],
      onConnection() {},
      prove: () => new Promise((resolve) => (prove = resolve)),
      onChange() {},
      onBound() {},
      random: () => 0,
    });
    await holder.start();
    expect(holder.condition).toEqual({ kind: 'unverified', error: undefined });
    prove({ kind: 'proven' });
    await settle();
    offered.splice(0, 1, b);
    holder.sessionsChanged();
    await settle();
    expect(server.holder).toBe(b);
    expect(holder.condition).toEqual({ kind: 'serving' });
    const error = new TunnelError('remote_listen_in_use', 'lost on the way');
    prove({ kind: 'unproven', error, final: false });
    await settle();
    expect(holder.condition).toEqual({ kind: 'unverified', error });
    await holder.stop();
  });

  it('waits for its own dead session with short pauses, and reports that session', async () => {
    const server = new FarServer();
    const [a, b] = [server.session('a'), server.session('b')];
    const { holder } = holderOver([a, b]);
    await holder.start();
    a.die(true);
    await settle(20_000);
    expect(holder.condition).toMatchObject({
      kind: 'unbound',
      // The address cannot be tested here, so its state is unknown.
      error: { code: 'remote_listen_denied', message: expect.stringContaining('our own lost session') },
    });
    server.holder = undefined;
    await settle(3_100);
    expect(holder.condition).toEqual({ kind: 'serving' });
    await holder.stop();
  });

  it('asks again at once when nobody listens at the granted address, and then twice a minute', async () => {
    const a = new FarServer().session('a');
    const error = new TunnelError('remote_listen_in_use', 'the server granted the address, but does not listen there');
    const { holder } = holderOver([a], { kind: 'absent', error });
    await holder.start();
    await settle(20_000);
    expect(a.made).toBe(2);
    expect(holder.condition).toEqual({ kind: 'unbound', error });
    await settle(30_000);
    expect(a.made).toBe(3);
    await holder.stop();
    expect(a.released).toBe(3);
  });

  it('retries at once when the address was freed between the refusal and the test', async () => {
    const server = new FarServer();
    const [a, b] = [server.session('a'), server.session('b')];
    const { holder } = holderOver([a, b]);
    await holder.start();
    await settle();
    a.die(true);
    const open = b.open.bind(b);
    b.open = () => {
      server.holder = undefined;
      return open();
    };
    await settle(10);
    expect(holder.condition).toEqual({ kind: 'serving' });
    expect(server.holder).toBe(b);
    await holder.stop();
  });

  it('moves from a leaving session by cancel and bind', async () => {
    const server = new FarServer();
    const [a, b] = [server.session('a'), server.session('b')];
    const offered = [a];
    const { holder, gaps } = holderOver(offered);
    await holder.start();
    offered.splice(0, 1, b);
    holder.sessionsChanged();
    await settle();
    expect(server.log).toEqual(['a bound', 'a cancelled', 'b bound']);
    expect(gaps).toHaveLength(2);
    expect(a.released).toBe(1);
    await holder.stop();
  });

  it('returns to the old session when the new one refuses, and tries again later', async () => {
    const server = new FarServer();
    const [a, b] = [server.session('a'), server.session('b')];
    const offered = [a];
    const { holder } = holderOver(offered);
    await holder.start();
    b.refuses = true;
    offered.splice(0, 1, b);
    holder.sessionsChanged();
    await settle();
    expect(server.holder).toBe(a);
    expect(holder.condition).toEqual({ kind: 'serving' });
    expect(a.released).toBe(0);
    b.refuses = false;
    await settle(61_000);
    expect(server.holder).toBe(b);
    await holder.stop();
    expect([a.released, b.released]).toEqual([a.made, b.made]);
  });

  it('cancels a listener that is not as requested, and waits for another session', async () => {
    const server = new FarServer();
    const a = server.session('a');
    const { TunnelError } = await import('../../../../../src/base/errors.ts');
    const wrong = { kind: 'wrong', error: new TunnelError('remote_listen_denied', 'too narrow') } as const;
    const { holder } = holderOver([a], wrong);
    await holder.start();
    await settle(300_000);
    expect(server.log).toEqual(['a bound', 'a cancelled']);
    expect(holder.condition).toMatchObject({ kind: 'unbound', error: { message: 'too narrow' } });
    await holder.stop();
  });

  it('never leaves a listener or a session behind after any sequence of events', async () => {
    const event = fc.constantFrom('add', 'die', 'ghost', 'drop', 'exorcise', 'refuse', 'wait');
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
        const server = new FarServer();
        const all: FakeFarSession[] = [];
        const offered: FakeFarSession[] = [];
        const { holder } = holderOver(offered);
        await holder.start();
        const add = () => {
          const session = server.session(`s${all.length}`);
          all.push(session);
          offered.push(session);
        };
        const act = {
          add,
          die: () => offered[0]?.die(),
          ghost: () => offered.at(-1)?.die(true),
          drop: () => offered.shift(),
          exorcise: () => {
            if (server.holder?.usable === false) server.holder = undefined;
          },
          refuse: () => {
            for (const session of offered) session.refuses = !session.refuses;
          },
          wait: () => {},
        };
        for (const each of events) {
          act[each]();
          holder.sessionsChanged();
          await settle(each === 'wait' ? 5_000 : 1);
        }
        // After recovery the address is served again.
        for (const session of all) session.refuses = false;
        act.exorcise();
        add();
        holder.sessionsChanged();
        await settle(120_000);
        expect(holder.condition).toEqual({ kind: 'serving' });
        await holder.stop();
        expect(server.holder).toBeUndefined();
        for (const session of all) expect(session.released).toBe(session.made);
      }),
      { numRuns: 150 },
    );
  });
});

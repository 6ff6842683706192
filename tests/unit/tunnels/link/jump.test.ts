import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { carryError, strandedError } from '../../../../src/tunnels/link/jump.ts';
import { Roster } from '../../../../src/tunnels/link/roster.ts';
import { credentialFacts, FakeSession } from '../../../support/fakes/fake-link.ts';

const target = { kind: 'tcp', host: '192.0.2.7', port: 22 } as const;

describe(strandedError, () => {
  it("repeats the code, the hint and the message of the jump host's error", () => {
    const lastError = new TunnelError('auth_rejected', 'bastion rejected the login', { hint: 'Fix the key.' });
    expect(strandedError({ hostName: 'bastion', lastError })).toMatchObject({
      code: 'auth_rejected',
      retryable: false,
      message: 'jump host bastion is unreachable: bastion rejected the login',
      hint: 'Fix the key.',
    });
  });
});

describe(carryError, () => {
  it.each([
    ['target_refused', 'connect_refused', '192.0.2.7:22 refused the connection from jump host bastion'],
    ['target_unreachable', 'connect_timeout', '192.0.2.7:22 is unreachable from jump host bastion'],
    ['forward_denied', 'forward_denied', 'jump host bastion forbids connections to 192.0.2.7:22'],
    ['connection_reset', 'connection_reset', 'jump host bastion is unreachable: why'],
    // The jump host's rejection says nothing about this link's credential.
    ['auth_rejected', 'connection_reset', 'jump host bastion is unreachable: why'],
  ] as const)('translates %s of a jump host into %s: %s', (code, becomes, message) => {
    expect(carryError(target, 'bastion', new TunnelError(code, 'why'))).toMatchObject({ code: becomes, message });
  });
});

describe('choosing the session that carries another', () => {
  const facts = credentialFacts('agent', { type: 'agent', fingerprint: undefined });
  const load = (all: number) => ({ toTarget: 0, all });
  const rosterOf = (count: number) => {
    const roster = new Roster();
    const sessions = Array.from({ length: count }, () => new FakeSession());
    const held = sessions.map((session) => roster.add(session, facts, roster.generation));
    return { roster, sessions, held };
  };

  it('chooses the session that carries the fewest', () => {
    const { roster, held } = rosterOf(3);
    const carried = new Map([
      [held[0], 2],
      [held[1], 1],
      [held[2], 1],
    ]);
    expect(roster.chooseCarrier((each) => load(carried.get(each) ?? 0))).toBe(held[1]);
  });

  it('prefers the session that carries the fewest to the same host', () => {
    const { roster, held } = rosterOf(2);
    expect(roster.chooseCarrier((each) => (each === held[0] ? { toTarget: 1, all: 1 } : { toTarget: 0, all: 9 }))).toBe(
      held[1],
    );
  });

  it('avoids a suspect session while another carrier is healthy', () => {
    const { roster, sessions, held } = rosterOf(2);
    Object.assign(sessions[0] ?? {}, { suspect: true });
    expect(roster.chooseCarrier((each) => load(each === held[1] ? 9 : 0))).toBe(held[1]);
  });

  it('uses a session with old settings while no other is up, but never a replaced one', () => {
    const { roster, held } = rosterOf(1);
    roster.nextGeneration();
    expect(roster.chooseCarrier(() => load(0))).toBe(held[0]);
    const fresh = roster.add(new FakeSession(), facts, roster.generation);
    roster.shed(1, 0);
    expect(roster.chooseCarrier((each) => load(each === fresh ? 5 : 0))).toBe(fresh);
    Object.assign(fresh.session, { usable: false });
    expect(roster.chooseCarrier(() => load(0))).toBeUndefined();
  });

  it('marks a carried session as leaving as soon as its carrier is replaced', () => {
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

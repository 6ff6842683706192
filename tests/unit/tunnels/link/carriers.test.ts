import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../../../src/tunnels/channel/channel-source.ts';
import { Carriers } from '../../../../src/tunnels/link/carriers.ts';
import { Roster } from '../../../../src/tunnels/link/roster.ts';
import type { Held } from '../../../../src/tunnels/link/session.ts';
import { credentialFacts, FakeSession } from '../../../support/fakes/fake-link.ts';

const facts = credentialFacts('agent', { type: 'agent', fingerprint: undefined });
const X = { kind: 'tcp', host: 'x', port: 22 } as const;
const Y = { kind: 'tcp', host: 'y', port: 22 } as const;

/** `on` names for each channel the target and the session under it, in the order of their making. */
function carrying(sessions: number, on: readonly (readonly [typeof X | typeof Y, number])[]) {
  const roster = new Roster();
  const held = Array.from({ length: sessions }, () => roster.add(new FakeSession(), facts, roster.generation));
  const carriers = new Carriers(roster);
  const all = on.map(([target, index]) => {
    const channel = { stream: new PassThrough(), onLost() {}, close() {} } as unknown as Channel;
    return carriers.add(channel, target, held[index] as Held);
  });
  carriers.spread();
  return { held, carriers, moving: all.map(({ leaving }) => leaving), all };
}

describe('what runs over the sessions of a jump host', () => {
  it.each([
    [
      'both on one of two: the younger one moves',
      2,
      [
        [X, 0],
        [X, 0],
      ],
      [false, true],
    ],
    [
      'nowhere to go',
      1,
      [
        [X, 0],
        [X, 0],
      ],
      [false, false],
    ],
    [
      'apart already',
      2,
      [
        [X, 0],
        [X, 1],
      ],
      [false, false],
    ],
    [
      'more than there is room for',
      2,
      [
        [X, 0],
        [X, 0],
        [X, 0],
      ],
      [false, true, false],
    ],
    [
      'room for all',
      3,
      [
        [X, 0],
        [X, 0],
        [X, 0],
      ],
      [false, true, true],
    ],
    [
      'each host for itself',
      2,
      [
        [X, 0],
        [Y, 0],
        [X, 0],
        [Y, 0],
      ],
      [false, false, true, true],
    ],
    [
      'two hosts on one session are no crowd',
      2,
      [
        [X, 0],
        [Y, 0],
      ],
      [false, false],
    ],
  ] as const)('%s', (_, sessions, on, moving) => {
    expect(carrying(sessions, on).moving).toEqual(moving);
  });

  it('moves once: what has begun to move is not called back by its own replacement', () => {
    const { held, carriers, all } = carrying(2, [
      [X, 0],
      [X, 0],
    ]);
    const channel = { stream: new PassThrough(), onLost() {}, close() {} } as unknown as Channel;
    const replacement = carriers.add(channel, X, held[1] as Held);
    carriers.spread();
    expect([...all, replacement].map(({ leaving }) => leaving)).toEqual([false, true, false]);
  });
});

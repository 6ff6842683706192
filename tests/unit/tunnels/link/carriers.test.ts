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

/** `on`: the target and the session of each channel, in order of creation. */
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

describe('spreading carried sessions', () => {
  it.each([
    [
      'moves the younger of two that share a session',
      2,
      [
        [X, 0],
        [X, 0],
      ],
      [false, true],
    ],
    [
      'moves none while only one session is up',
      1,
      [
        [X, 0],
        [X, 0],
      ],
      [false, false],
    ],
    [
      'moves none that are already apart',
      2,
      [
        [X, 0],
        [X, 1],
      ],
      [false, false],
    ],
    [
      'moves only as many as other sessions can take',
      2,
      [
        [X, 0],
        [X, 0],
        [X, 0],
      ],
      [false, true, false],
    ],
    [
      'moves all but the oldest when every one finds a session',
      3,
      [
        [X, 0],
        [X, 0],
        [X, 0],
      ],
      [false, true, true],
    ],
    [
      'spreads the sessions of each host separately',
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
      'moves none when one session carries two hosts',
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

  it('keeps a carried session moving when its replacement arrives', () => {
    const { held, carriers, all } = carrying(2, [
      [X, 0],
      [X, 0],
    ]);
    const channel = { stream: new PassThrough(), onLost() {}, close() {} } as unknown as Channel;
    const replacement = carriers.add(channel, X, held[1] as Held);
    carriers.spread();
    expect([...all, replacement].map(({ leaving }) => leaving)).toEqual([false, true, false]);
  });

  it('moves a crowded session once the channel of one that moved is closed', () => {
    const { carriers, held, moving } = carrying(2, [
      [X, 0],
      [X, 0],
    ]);
    expect(moving).toEqual([false, true]);
    const streams = [new PassThrough(), new PassThrough()];
    const [gone, crowded] = streams.map((stream) =>
      carriers.add({ stream, onLost() {}, close() {} } as unknown as Channel, Y, held[0] as Held),
    );
    const third = { stream: new PassThrough(), onLost() {}, close() {} } as unknown as Channel;
    const last = carriers.add(third, Y, held[0] as Held);
    expect([gone, crowded, last].map((each) => each?.leaving)).toEqual([false, true, false]);
    streams[1]?.emit('close');
    expect(last.leaving).toBe(true);
  });
});

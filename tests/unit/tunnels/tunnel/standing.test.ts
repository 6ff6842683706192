import { expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { Happening } from '../../../../src/telemetry/happening.ts';
import { Standing } from '../../../../src/tunnels/tunnel/standing.ts';
import { recordingLogger } from '../../../support/fakes/fake-link.ts';

function standing() {
  const noted: Happening[] = [];
  const logged: string[] = [];
  const made = new Standing('hub', { log: recordingLogger(logged), note: (happening) => void noted.push(happening) });
  return { made, noted, logged };
}

const link = { lastError: undefined };
const up = { state: 'up', reason: null, error: undefined } as const;
const down = { state: 'down', reason: 'connecting', error: undefined } as const;
const refused = new TunnelError('target_refused', 'refused');
const degraded = { state: 'degraded', reason: 'the target refuses', error: refused } as const;

test('notes the first state without a previous one, and does not log it', () => {
  const { made, noted, logged } = standing();
  made.become(down, link, true);
  made.become(down, link, true);
  expect(noted).toEqual([
    {
      event: 'tunnel.state',
      tunnel: 'hub',
      from: null,
      to: 'down',
      serving: false,
      listening: true,
      reason: 'connecting',
      code: null,
    },
  ]);
  expect(logged).toEqual([]);
});

test('notes each change with its cause, and the same state again when the cause changes', () => {
  const { made, noted, logged } = standing();
  made.become(up, link, true);
  made.become(degraded, link, true);
  made.become(degraded, link, true);
  made.become({ ...degraded, error: new TunnelError('target_unreachable', 'away') }, link, true);
  expect(noted.map(({ from, to, code }) => [from, to, code])).toEqual([
    [null, 'up', null],
    ['up', 'degraded', 'target_refused'],
    ['degraded', 'degraded', 'target_unreachable'],
  ]);
  expect(logged).toHaveLength(3);
});

test('counts a link with a fallback credential as serving, until another error occurs', () => {
  const { made } = standing();
  made.become(degraded, { ...link, fallbackReason: refused }, true);
  expect([made.state, made.serving]).toEqual(['degraded', true]);
  const other = { ...degraded, error: new TunnelError('target_refused', 'another') };
  made.become(other, { ...link, fallbackReason: refused }, true);
  expect([made.state, made.serving]).toEqual(['degraded', false]);
});

test('notes that the listen address was bound or released, also while the state stays', () => {
  const { made, noted } = standing();
  made.become(down, link, true);
  made.become(down, link, false);
  made.become(down, link, false);
  expect(noted).toMatchObject([{ listening: true }, { listening: false }]);
});

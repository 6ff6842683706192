import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TurnedAway } from '../../../../src/base/errors.ts';
import type { LogFields } from '../../../../src/telemetry/log/log.ts';
import { ClientTrouble } from '../../../../src/tunnels/tunnel/client-trouble.ts';

let logged: string[];
let trouble: ClientTrouble;

beforeEach(() => {
  vi.useFakeTimers();
  logged = [];
  const write = (_: LogFields, message: string) => logged.push(message);
  trouble = new ClientTrouble({ warn: write, error: write });
});
afterEach(() => vi.useRealTimers());

const ask = (destination: string) => trouble.turnedAway(new TurnedAway('forward_denied', destination));

test('logs each reason for rejecting a client once, and again after the rules changed', () => {
  for (const destination of ['a:1', 'a:1', 'b:1', 'a:1']) ask(destination);
  expect(logged).toEqual(['a:1', 'b:1']);
  trouble.forgetReasons();
  ask('a:1');
  expect(logged).toEqual(['a:1', 'b:1', 'a:1']);
});

test('logs at most a hundred reasons, whatever strangers request', () => {
  for (let port = 1; port <= 150; port++) ask(`a:${port}`);
  ask('a:150');
  expect(logged).toHaveLength(100);
});

test('logs the first of a row of accept errors, and the next after ten seconds without errors', () => {
  const fail = (message: string) => trouble.notAccepted(new Error(message));
  fail('EMFILE 1');
  vi.advanceTimersByTime(9_000);
  fail('EMFILE 2');
  vi.advanceTimersByTime(9_000);
  fail('EMFILE 3');
  vi.advanceTimersByTime(10_001);
  fail('EMFILE 4');
  expect(logged).toEqual([
    'cannot accept a client connection: EMFILE 1',
    'cannot accept a client connection: EMFILE 4',
  ]);
});

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

test('logs each reason for turning a client away once, and again after the rules have changed', () => {
  for (const destination of ['a:1', 'a:1', 'b:1', 'a:1']) ask(destination);
  expect(logged).toEqual(['a:1', 'b:1']);
  trouble.forgetReasons();
  ask('a:1');
  expect(logged).toEqual(['a:1', 'b:1', 'a:1']);
});

test('logs a hundred reasons at most, whatever strangers ask for', () => {
  for (let port = 1; port <= 150; port++) ask(`a:${port}`);
  ask('a:150');
  expect(logged).toHaveLength(100);
});

test('logs the first of a row of accept errors, and the next after ten quiet seconds', () => {
  const fail = (message: string) => trouble.notAccepted(new Error(message));
  fail('EMFILE 1');
  vi.advanceTimersByTime(9_000);
  fail('EMFILE 2');
  vi.advanceTimersByTime(9_000);
  fail('EMFILE 3');
  vi.advanceTimersByTime(10_001);
  fail('EMFILE 4');
  expect(logged).toEqual(['a connection was not accepted: EMFILE 1', 'a connection was not accepted: EMFILE 4']);
});

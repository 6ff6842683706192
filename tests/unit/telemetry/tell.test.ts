import { expect, test, vi } from 'vitest';
import { TunnelError } from '../../../src/base/errors.ts';
import { teller } from '../../../src/telemetry/tell.ts';

function told() {
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const note = vi.fn();
  return { log, note, tell: teller(log, note) };
}

test('writes the same fields to log and evidence', () => {
  const { log, note, tell } = told();
  tell({ event: 'session.up', session: 3 }, 'SSH session up');
  expect(log.info.mock.calls).toEqual([[{ event: 'session.up', session: 3 }, 'SSH session up']]);
  expect(note.mock.calls).toEqual([[{ event: 'session.up', session: 3 }, undefined]]);
});

test('writes the error to the log, and its code and reason to the evidence', () => {
  const { log, note, tell } = told();
  const err = new TunnelError('keepalive_lost', 'no answer for 15 s');
  tell({ event: 'session.lost', session: 3, err }, err.message, 'warn');
  expect(log.warn.mock.calls[0]?.[0]).toEqual({ event: 'session.lost', session: 3, err });
  expect(note.mock.calls[0]?.[0]).toEqual({
    event: 'session.lost',
    session: 3,
    code: 'keepalive_lost',
    reason: 'no answer for 15 s',
  });
});

test('writes repetitions only to the log', () => {
  const { log, note, tell } = told();
  tell({ event: 'link.attempt_failed' }, 'again', 'debug');
  expect(log.debug).toHaveBeenCalledOnce();
  expect(note).not.toHaveBeenCalled();
});

test('writes the time of the event to the evidence', () => {
  const { note, tell } = told();
  const at = new Date(0);
  tell({ event: 'cutover.phase' }, 'committed', 'info', at);
  expect(note.mock.calls[0]?.[1]).toBe(at);
});

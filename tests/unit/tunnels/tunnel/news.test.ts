import { expect, test } from 'vitest';
import { TunnelError, TurnedAway } from '../../../../src/base/errors.ts';
import type { Happening } from '../../../../src/telemetry/happening.ts';
import type { LogFields } from '../../../../src/telemetry/log/log.ts';
import { TunnelNews } from '../../../../src/tunnels/tunnel/news.ts';

const LABELS = { tunnel: 'db' };

function told() {
  const logged: string[] = [];
  const noted: [Happening, Date | undefined][] = [];
  const measured: [metric: string, labels: unknown, value?: number][] = [];
  const write = (level: string) => (fields: LogFields, message: string) =>
    void logged.push(`${level} ${fields.event}: ${message}`);
  const metric = (name: string) => ({
    inc: (labels: unknown) => void measured.push([name, labels]),
    observe: (labels: unknown, value: number) => void measured.push([name, labels, value]),
  });
  const news = new TunnelNews('db', {
    metrics: {
      holdSeconds: metric('hold'),
      connectSeconds: metric('connect'),
      probeDurationSeconds: metric('probe'),
      remoteListenGapSeconds: metric('gap'),
      acceptErrors: metric('accept'),
    } as never,
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') } as never,
    note: (happening, at) => void noted.push([happening, at]),
  });
  return { news, logged, noted, measured };
}

test('measures each duration under its own metric, with the name of the tunnel', () => {
  const { news, measured } = told();
  news.held(1);
  news.opened(2);
  news.probed(3);
  expect(measured).toEqual([
    ['hold', LABELS, 1],
    ['connect', LABELS, 2],
    ['probe', LABELS, 3],
  ]);
});

test('counts every accept error, and logs only the first of a row', () => {
  const { news, logged, measured } = told();
  for (let count = 0; count < 3; count++) news.notAccepted(new Error('EMFILE'));
  expect(measured).toEqual([1, 2, 3].map(() => ['accept', LABELS]));
  expect(logged).toEqual(['error tunnel.accept_failed: cannot accept a client connection: EMFILE']);
});

test('logs a failed connection for debugging, and a rejected client as a warning', () => {
  const { news, logged } = told();
  news.failed(new TunnelError('target_refused', 'refused'));
  news.failed(new TurnedAway('forward_denied', 'not covered'));
  expect(logged).toEqual([
    'debug connection.failed: refused',
    'debug connection.failed: not covered',
    'warn client.turned_away: not covered',
  ]);
});

test('measures how long the far side did not listen, unless it listens for the first time', () => {
  const { news, logged, measured } = told();
  const at = { host: 'gate', listen: { kind: 'tcp', host: '127.0.0.1', port: 80 } } as const;
  news.listening(at, undefined);
  news.listening(at, 0.0254);
  expect(measured).toEqual([['gap', LABELS, 0.0254]]);
  expect(logged).toEqual([
    'info tunnel.listening: gate listens on 127.0.0.1:80',
    'info tunnel.listening: gate listens on 127.0.0.1:80 again, after a gap of 0.025 s',
  ]);
});

test('dates the use of the tunnel in the evidence', () => {
  const { news, noted } = told();
  const at = new Date(0);
  news.used(at);
  expect(noted).toEqual([[{ event: 'tunnel.used', tunnel: 'db' }, at]]);
});

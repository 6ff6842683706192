import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { Happening } from '../../../../src/telemetry/happening.ts';
import type { LogFields } from '../../../../src/telemetry/log/log.ts';
import { LinkNews } from '../../../../src/tunnels/link/news.ts';
import { credentialFacts, FakeSession } from '../../../support/fakes/fake-link.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const LABELS = { host: 'bastion', actor: 'operator' };
const lost = new TunnelError('keepalive_lost', 'the peer is silent');
const held = { id: 7, generation: 1, facts: credentialFacts('key'), session: new FakeSession() };

function told() {
  const logged: [level: string, event: string][] = [];
  const noted: Happening[] = [];
  const measured: [metric: string, labels: unknown, value?: number][] = [];
  const write = (level: string) => (fields: LogFields) => void logged.push([level, fields.event]);
  const metric = (name: string) => ({
    inc: (labels: unknown) => void measured.push([name, labels]),
    observe: (labels: unknown, value: number) => void measured.push([name, labels, value]),
  });
  const news = new LinkNews(LABELS, {
    metrics: {
      linkConnectAttempts: metric('attempts'),
      linkDetectSeconds: metric('detect'),
      linkRecoverSeconds: metric('recover'),
      linkHedgedOpens: metric('hedged'),
      rotationSeconds: metric('rotation'),
    } as never,
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') } as never,
    note: (happening) => void noted.push(happening),
  });
  return { news, logged, noted, measured };
}

test('measures a recovery once, from the silence before the last session was lost', () => {
  const { news, measured } = told();
  news.sessionUp(held);
  news.sessionLost(held, lost, { silentMs: 15_000, last: true });
  vi.advanceTimersByTime(5_000);
  news.sessionUp(held);
  news.sessionUp(held);
  expect(measured).toEqual([
    ['detect', LABELS, 15],
    ['recover', LABELS, 20],
  ]);
});

test('measures no recovery while another session serves', () => {
  const { news, measured } = told();
  news.sessionLost(held, lost, { silentMs: 1_000, last: false });
  news.sessionUp(held);
  expect(measured).toEqual([['detect', LABELS, 1]]);
});

test('reports a lost session and its reason to the log and the evidence', () => {
  const { news, logged, noted } = told();
  news.sessionLost(held, lost, { silentMs: 0, last: false });
  expect(logged).toEqual([['warn', 'session.lost']]);
  expect(noted).toEqual([{ event: 'session.lost', session: 7, code: 'keepalive_lost', reason: 'the peer is silent' }]);
});

test('reports a repeated failure to the debug log only', () => {
  const { news, logged, noted } = told();
  news.attemptFailed({ attempt: 1, delayMs: 250.4, news: true }, lost);
  news.attemptFailed({ attempt: 2, delayMs: 500, news: false }, lost);
  expect(logged).toEqual([
    ['warn', 'link.attempt_failed'],
    ['debug', 'link.attempt_failed'],
  ]);
  expect(noted).toMatchObject([{ event: 'link.attempt_failed', attempt: 1, retry_in_ms: 250 }]);
  expect(noted).toHaveLength(1);
});

test('reports the wait for a jump host to the log only', () => {
  const { news, logged, noted } = told();
  news.stranded('gate', undefined);
  expect([logged, noted]).toEqual([[['info', 'link.stranded']], []]);
});

test('counts which of two sessions won the race for a channel', () => {
  const { news, measured } = told();
  news.hedged('second');
  news.hedged('first');
  expect(measured).toEqual([
    ['hedged', { ...LABELS, result: 'won' }],
    ['hedged', { ...LABELS, result: 'lost' }],
  ]);
});

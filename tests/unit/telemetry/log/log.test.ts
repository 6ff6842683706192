import { describe, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { LogFormat, LogLevel } from '../../../../src/config/config.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';

function capture(options: { level?: LogLevel; format?: LogFormat; journal?: boolean; terminal?: boolean } = {}) {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  return { lines, log: createLogger({ level: 'info', stream, ...options }) };
}

function parsed(line: string | undefined): Record<string, unknown> {
  return JSON.parse(line ?? '');
}

describe('a log line', () => {
  test('is one JSON object with level, ISO time, event and fields', () => {
    const { lines, log } = capture();
    log.info({ event: 'tunnel.up', tunnel: 'state-hub', duration_ms: 12 }, 'tunnel is up');
    expect(lines).toHaveLength(1);
    const line = parsed(lines[0]);
    expect(line).toMatchObject({ level: 'info', event: 'tunnel.up', tunnel: 'state-hub', duration_ms: 12 });
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(line).toMatchObject({ msg: 'tunnel is up', time });
    expect(line).not.toHaveProperty('pid');
  });

  test('stays one line with any content', () => {
    const { lines, log } = capture();
    log.warn({ event: 'x', banner: 'a\nb\r\n\u2028c\u009b31m' }, 'first\nsecond');
    expect(lines[0]?.trimEnd()).not.toMatch(/[\n\r\u2028\u009b]/);
    expect(parsed(lines[0])).toMatchObject({ msg: 'first\nsecond' });
  });

  test.each([
    ['trace', 7],
    ['debug', 7],
    ['info', 6],
    ['warn', 4],
    ['error', 3],
    ['fatal', 2],
  ] as const)('%s has journald priority %i', (level, priority) => {
    const { lines, log } = capture({ level: 'trace', journal: true });
    log[level]({ event: 'x' }, 'y');
    expect(lines[0]).toMatch(new RegExp(`^<${priority}>{.*}\\n$`));
  });

  test.each([
    ['a long message', { event: 'x' }, 'm'.repeat(100_000)],
    ['a long field', { event: 'x', output: '"\n'.repeat(50_000) }, 'm'],
    [
      'many fields',
      { event: 'x', ...Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`field_${n}`, n])) },
      'm',
    ],
    ['a long list', { event: 'x', list: Array.from({ length: 10_000 }, (_, n) => ({ n })) }, 'm'],
    ['wide characters', { event: 'x', text: '漢😀'.repeat(9_000) }, 'm'],
    ['a long cause', { event: 'x', err: new Error('e'.repeat(9_000), { cause: new Error('c'.repeat(9_000)) }) }, 'm'],
  ])('is at most 4000 bytes and valid JSON with %s', (_case, fields, message) => {
    const { lines, log } = capture({ journal: true });
    log.error(fields, message);
    expect(Buffer.byteLength(lines[0] ?? '')).toBeLessThanOrEqual(4_000);
    expect(parsed(lines[0]?.slice(3))).toMatchObject({ event: 'x' });
  });

  test('survives values that cannot be serialised', () => {
    const { lines, log } = capture();
    const circular: { self?: unknown } & Record<string, unknown> = {
      big: 10n,
      when: new Date(Number.NaN),
      fn: () => {},
      bytes: Buffer.alloc(9),
    };
    circular.self = circular;
    log.info({ event: 'x', circular }, 'y');
    const trap = {
      get secret() {
        throw new Error('no');
      },
    };
    log.info({ event: 'x', trap }, 'y');
    expect(lines).toHaveLength(2);
    expect(parsed(lines[0])).toMatchObject({ circular: { big: '10', when: null, bytes: '[9 bytes]' } });
    expect(parsed(lines[1])).toMatchObject({ event: 'x', msg: 'y' });
  });
});

describe('an error in a log line', () => {
  test('shows code, message, hint and causes of a TunnelError, without a stack', () => {
    const { lines, log } = capture();
    const cause = new Error('connect ECONNREFUSED', { cause: new Error('deep') });
    log.error({ event: 'link.lost', err: new TunnelError('connect_refused', 'cannot reach it', { cause }) }, 'lost');
    const { err } = parsed(lines[0]);
    expect(err).toEqual({
      code: 'connect_refused',
      message: 'cannot reach it',
      hint: new TunnelError('connect_refused', '').hint,
      causes: ['connect ECONNREFUSED', 'deep'],
    });
  });

  test('cuts a cause that a hostile server made long', () => {
    const { lines, log } = capture();
    const cause = new Error(`bye\u202e${'x'.repeat(256_000)}`);
    log.error(
      { event: 'session.lost', err: new TunnelError('connection_reset', 'the server left', { cause }) },
      'lost',
    );
    expect(lines[0]?.length).toBeLessThan(1_500);
    expect(parsed(lines[0])).toMatchObject({ err: { causes: [expect.stringMatching(/^bye\\u202ex+…$/)] } });
  });

  test('keeps the original stack of a bug', () => {
    const { lines, log } = capture();
    function culprit() {
      return new TypeError('undefined is not a function');
    }
    log.error({ event: 'x', err: TunnelError.from(culprit()) }, 'bug');
    log.error({ event: 'x', err: culprit() }, 'bug');
    for (const line of lines) {
      expect(parsed(line)).toMatchObject({ err: { code: 'internal', stack: expect.stringContaining('culprit') } });
    }
  });

  test('accepts any thrown value', () => {
    const { lines, log } = capture();
    log.error({ event: 'x', err: 'just text' }, 'odd');
    expect(parsed(lines[0])).toMatchObject({ err: { code: 'internal', message: 'just text' } });
  });
});

describe('the log level', () => {
  test('changes at run time, also for existing child loggers', () => {
    const { lines, log } = capture();
    const child = log.child({ tunnel: 'state-hub' }).child({ link: 'coulombcore/atm' });
    child.debug({ event: 'a' }, 'hidden');
    log.setLevel('debug');
    child.debug({ event: 'b' }, 'shown');
    log.setLevel('error');
    child.warn({ event: 'c' }, 'hidden');
    expect(lines.map((line) => parsed(line))).toMatchObject([
      { event: 'b', tunnel: 'state-hub', link: 'coulombcore/atm' },
    ]);
  });
});

describe('a text line', () => {
  const lineOf = (changes: Parameters<typeof capture>[0], write: (log: ReturnType<typeof capture>['log']) => void) => {
    const { lines, log } = capture({ format: 'text', ...changes });
    write(log);
    return lines.join('');
  };

  test('names time, level, event, subject, message and further fields in one line', () => {
    const line = lineOf({}, (log) =>
      log.info({ event: 'tunnel.state', tunnel: 'db', from: 'down', took_ms: 12 }, 'db is up'),
    );
    expect(line).toMatch(/^\d\d:\d\d:\d\d info {2}tunnel\.state {11}db {15}db is up from=down took_ms=12\n$/);
  });

  test('appends only the parts of an error that the message does not have', () => {
    const err = new TunnelError('connect_refused', 'the server refuses connections');
    const line = lineOf({}, (log) => log.warn({ event: 'x', err }, 'no session: the server refuses connections'));
    expect(line).toContain(`code=connect_refused hint="${err.hint}"`);
    expect(line).not.toContain('reason=');
    expect(line.match(/\n/g)).toHaveLength(1);
  });

  test('says nothing twice: a transition names its states and its reason in the message', () => {
    const line = lineOf({}, (log) =>
      log.info(
        { event: 'x', from: 'up', to: 'down', reason: 'no session', code: null, seconds: 0.0042926919 },
        'up -> down: no session',
      ),
    );
    expect(line).toContain('up -> down: no session seconds=0.004293\n');
  });

  test('has a stack for a bug from level error on, and none below', () => {
    const bug = new TypeError('x is not a function');
    expect(lineOf({}, (log) => log.warn({ event: 'x', err: bug }, 'failed'))).not.toContain('    at ');
    expect(lineOf({}, (log) => log.error({ event: 'x', err: bug }, 'failed'))).toContain('\n    at ');
  });

  test('has colours on a terminal only, and none with NO_COLOR', () => {
    const write = (log: ReturnType<typeof capture>['log']) => log.info({ event: 'x' }, 'm');
    expect(lineOf({ terminal: true }, write)).toContain('\x1b[32minfo');
    expect(lineOf({}, write)).not.toContain('\x1b');
    vi.stubEnv('NO_COLOR', '1');
    expect(lineOf({ terminal: true }, write)).not.toContain('\x1b');
    vi.unstubAllEnvs();
  });

  test('shows no control character of a foreign text', () => {
    const line = lineOf({}, (log) => log.info({ event: 'x', tunnel: 'a\x1b[31m', banner: 'b\u202ec\nd' }, 'e\x07'));
    expect(line.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test('keeps the priority of the journal', () => {
    expect(lineOf({ journal: true }, (log) => log.warn({ event: 'x' }, 'm'))).toMatch(/^<4>\d\d:/);
  });

  test('is the format auto on a terminal; elsewhere auto is JSON, and a reload changes the format', () => {
    const { lines, log } = capture({ format: 'auto' });
    log.info({ event: 'x' }, 'm');
    log.setFormat('text');
    log.info({ event: 'x' }, 'm');
    expect(lines[0]).toMatch(/^\{/);
    expect(lines[1]).toMatch(/^\d\d:/);
    expect(lineOf({ format: 'auto', terminal: true }, (logger) => logger.info({ event: 'x' }, 'm'))).toMatch(/info/);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Parsed, parseGreeting, parseRequest } from '../../../../../src/tunnels/forward/socks/message.ts';
import { socksRequest } from '../../../../support/clients/socks-client.ts';

const bytes = (...values: number[]) => Buffer.from(values);
const INCOMPLETE = { kind: 'incomplete' };
const MALFORMED = { kind: 'malformed' };

describe(parseGreeting, () => {
  it.each([
    ['nothing yet', bytes(), INCOMPLETE],
    ['a version', bytes(5), INCOMPLETE],
    ['a promise of methods', bytes(5, 2, 0), INCOMPLETE],
    ['one method', bytes(5, 1, 0), { message: { protocol: 'socks5', methods: [0] }, length: 3 }],
    ['bytes that follow', bytes(5, 2, 0, 2, 5, 1), { message: { protocol: 'socks5', methods: [0, 2] }, length: 4 }],
    ['no method', bytes(5, 0), MALFORMED],
    ['SOCKS4', bytes(4), { message: { protocol: 'socks4' } }],
    ['HTTP', Buffer.from('C'), { message: { protocol: 'http' } }],
    ['TLS', bytes(0x16, 3, 1), MALFORMED],
    ['lower case', Buffer.from('get'), MALFORMED],
    ['SSH-2.0, which begins like HTTP', Buffer.from('SSH-2.0-x'), { message: { protocol: 'http' } }],
  ])('reads %s', (_, input, expected) => expect(parseGreeting(input)).toMatchObject(expected));
});

describe(parseRequest, () => {
  it.each([
    ['nothing yet', bytes(), INCOMPLETE],
    ['a beginning', bytes(5, 1, 0), INCOMPLETE],
    ['an address cut short', bytes(5, 1, 0, 1, 10, 0, 0), INCOMPLETE],
    ['a port cut short', bytes(5, 1, 0, 1, 10, 0, 0, 1, 0), INCOMPLETE],
    ['a name without its length', bytes(5, 1, 0, 3), INCOMPLETE],
    [
      'IPv4',
      bytes(5, 1, 0, 1, 10, 0, 0, 1, 31, 64),
      { message: { command: 1, host: '10.0.0.1', port: 8000 }, length: 10 },
    ],
    [
      'IPv6',
      bytes(5, 1, 0, 4, ...Buffer.alloc(15), 1, 0, 22),
      { message: { command: 1, host: '::1', port: 22 }, length: 22 },
    ],
    ['a name', socksRequest('a.b', 80), { message: { command: 1, host: 'a.b', port: 80 }, length: 10 }],
    ['an empty name', socksRequest('', 80), { message: { host: '', port: 80 }, length: 7 }],
    ['the longest name', socksRequest('x'.repeat(255), 80), { message: { host: 'x'.repeat(255) }, length: 262 }],
    ['BIND', socksRequest('a', 1, 2), { message: { command: 2 } }],
    ['UDP ASSOCIATE', socksRequest('a', 1, 3), { message: { command: 3 } }],
    ['an unknown address type', bytes(5, 1, 0, 2), { message: { host: undefined } }],
    ['another version', bytes(4, 1, 0, 1), MALFORMED],
    ['a reserved byte that is not zero', bytes(5, 1, 1, 1), MALFORMED],
  ])('reads %s', (_, input, expected) => expect(parseRequest(input)).toMatchObject(expected));
});

/** Parses in chunks, as a socket delivers them, until the result is known. */
function feed<Message>(parse: (bytes: Buffer) => Parsed<Message>, input: Buffer, cuts: readonly number[]) {
  let seen = 0;
  for (const cut of [...cuts, input.length]) {
    seen = Math.min(input.length, seen + cut);
    const parsed = parse(input.subarray(0, seen));
    if (parsed.kind !== 'incomplete') return parsed;
  }
  return parse(input);
}

const PARSERS = [parseGreeting, parseRequest] as const;

describe.each(PARSERS.map((parse) => [parse.name, parse] as const))('%s, whatever arrives', (_, parse) => {
  // Mostly valid, so that deep parts of the grammar are reached.
  const input = fc
    .array(fc.uint8Array({ maxLength: 300 }), { maxLength: 1 })
    .chain((random) =>
      fc.constantFrom<Buffer[]>(
        Buffer.concat([socksRequest('some.name', 443), ...random]),
        Buffer.concat([socksRequest('10.0.0.1', 443), ...random]),
        Buffer.concat([bytes(5, 3, 0, 1, 2), ...random]),
        Buffer.concat([bytes(5), ...random]),
        Buffer.concat(random),
      ),
    );

  it('parses the same result from any chunks', () => {
    fc.assert(
      fc.property(input, fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 40 }), (whole, cuts) => {
        const parsed = feed<unknown>(parse, whole, cuts);
        const once = parse(whole);
        expect(parsed.kind).toBe(once.kind);
        if (parsed.kind === 'message' && once.kind === 'message') {
          expect(parsed.message).toEqual(once.message);
          expect(parsed.length).toBeLessThanOrEqual(whole.length);
        }
      }),
    );
  });

  it('decides within 262 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 262, maxLength: 300 }), (whole) => {
        expect(parse(Buffer.from(whole)).kind).not.toBe('incomplete');
      }),
    );
  });
});

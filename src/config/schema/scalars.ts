import { isIP, isIPv6 } from 'node:net';
import { z } from 'zod';
import { type Address, LONGEST_SOCKET_PATH, parseAddress, type TcpAddress } from '../../base/net/address.ts';
import { isBlank } from '../../base/text/blank.ts';
import type { JsonValue } from '../config.ts';
import { DURATION_EXPECTED, DURATION_PATTERN, formatDuration, parseDuration } from '../duration.ts';
import { describeValue, oneOf, wants } from '../expectation.ts';

/** Names of hosts, actors and tunnels, which also are metric labels, URL segments and unit names. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;
export const NAME_EXPECTED =
  'a name of at most 63 characters (a-z, 0-9, ".", "_", "-") that starts with a letter or a digit';

// Characters of a host name or an address; node:net checks the address itself.
const HOST_PATTERN = /^[A-Za-z0-9:][A-Za-z0-9._:%-]{0,252}$/;
/** The form of an address; port and path are checked later. */
export const ADDRESS_PATTERN = /^(?:unix:\/.+|\[[0-9A-Fa-f:.]+\]:\d{1,5}|[^\s:[\]/]+:\d{1,5})$/;
const TCP_ADDRESS_EXPECTED = 'host:port with a port from 1 to 65535, as in 127.0.0.1:8000 or [::1]:8000';
const ADDRESS_EXPECTED = `${TCP_ADDRESS_EXPECTED}, or unix:/absolute/path`;
/** RFC 4291 section 2.5.6, with or without an interface, as in fe80::1%eth0. */
const LINK_LOCAL_PATTERN = /^\[fe[89ab][0-9a-f]:/i;
const NO_LINK_LOCAL =
  'an address that is not link-local: an address in fe80::/10 works only with an interface, which cannot be given here';

/** A mapping with exactly these keys. */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const keys = Object.keys(shape);
  return z.strictObject(shape, {
    error: wants(keys.length === 0 ? 'an empty mapping, {}' : `a mapping with ${oneOf(keys)}`),
  });
}

/** A mapping from names to `value`. check/names.ts checks the names, so that a bad name hides no other mistake. */
export function named<Value extends z.ZodType>(value: Value) {
  return z
    .record(z.string(), value, { error: wants('a mapping from names to settings') })
    .meta({ propertyNames: { pattern: NAME_PATTERN.source } });
}

/** Text of one line, with something in it that a person can see. */
export function text(expected: string, longest = 255) {
  return line(expected, longest).refine((written) => !isBlank(written), { error: wants(expected) });
}

/** As {@link text}, but it may be blank. */
export function line(expected: string, longest = 255) {
  // YAML reads the step id 2.10 as the number 2.1, so quotes are needed.
  const error = (issue: { readonly input?: unknown }) =>
    wants(typeof issue.input === 'number' ? `${expected}, in quotes` : expected)(issue);
  return (
    z
      .string({ error })
      // A pattern in JSON Schema has no flags, so checks that need a flag are separate.
      .regex(/^.+$/, { error })
      .refine(hasNoControls, { error })
      .max(longest, { error })
  );
}

/** Text for a protocol: line ends and other control characters are allowed. */
export function rawText(expected: string, longest = 4_096) {
  const error = (issue: { readonly input?: unknown }) =>
    wants(typeof issue.input === 'number' ? `${expected}, in quotes` : expected)(issue);
  return z.string({ error }).min(1, { error }).max(longest, { error });
}

export function wholeNumber(min: number, max: number) {
  const error = wants(`a whole number from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export const port = wholeNumber(1, 65_535);

export const flag = z.boolean({ error: wants('true or false') });

export function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: wants(oneOf(words)) });
}

/** A duration with a unit, read as milliseconds. */
export function duration(minMs: number, maxMs: number) {
  const expected = `${DURATION_EXPECTED}, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return z
    .string({ error: wants(expected) })
    .regex(DURATION_PATTERN, { error: wants(expected) })
    .transform((written, context): number => {
      const ms = parseDuration(written);
      if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
      context.addIssue({ code: 'custom', message: `${describeValue(written)}; expected ${expected}` });
      return z.NEVER;
    });
}

/** A path as written; paths.ts makes it absolute. */
export const path = text('a path: absolute, ~/…, relative to this file, or credential:NAME', 4_096);

export const hostName = text('a host name or an IP address, without user and port')
  .regex(HOST_PATTERN, { error: wants('a host name or an IP address, without user and port') })
  .refine(isPlausibleHost, { error: wants('a host name or an IP address, without user and port') })
  .refine((host) => host.includes('%') || !LINK_LOCAL_PATTERN.test(`[${host}`), {
    error: wants('a link-local address with its interface, as in fe80::1%eth0'),
  });

const AUTHORITY_EXPECTED = 'a host name or an address, or host:port, as in hub.example or hub.example:8443';

/** The value of a Host header: `host` or `host:port`, IPv6 in brackets. */
export const authority = text(AUTHORITY_EXPECTED)
  .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::\d{1,5})?$/, { error: wants(AUTHORITY_EXPECTED) })
  .refine(isPlausibleAuthority, { error: wants(AUTHORITY_EXPECTED) });

export const tcpAddress = addressText(TCP_ADDRESS_EXPECTED).transform((written, context): TcpAddress => {
  const address = parseAddress(written);
  if (address?.kind === 'tcp' && isPlausible(address)) return address;
  const expected = expectedFor(written, TCP_ADDRESS_EXPECTED);
  context.addIssue({ code: 'custom', message: `${describeValue(written)}; expected ${expected}` });
  return z.NEVER;
});

export const address = addressText(ADDRESS_EXPECTED).transform((written, context): Address => {
  const parsed = parseAddress(written);
  if (parsed !== undefined && isPlausible(parsed)) return parsed;
  const length = parsed?.kind === 'unix' ? Buffer.byteLength(parsed.path) : 0;
  const expected =
    length > LONGEST_SOCKET_PATH
      ? `a path of at most ${LONGEST_SOCKET_PATH} bytes instead of ${length}`
      : expectedFor(written, ADDRESS_EXPECTED);
  context.addIssue({ code: 'custom', message: `${describeValue(written)}; expected ${expected}` });
  return z.NEVER;
});

/** Any JSON value. */
export const json = z.unknown().transform((value, context): JsonValue => {
  if (isJson(value)) return value;
  context.addIssue({ code: 'custom', message: `${describeValue(value)}; expected a JSON value` });
  return z.NEVER;
});

function addressText(expected: string) {
  const error = (issue: { readonly input?: unknown }) => wants(expectedFor(issue.input, expected))(issue);
  return z.string({ error }).regex(ADDRESS_PATTERN, { error });
}

function expectedFor(written: unknown, usually: string): string {
  return typeof written === 'string' && LINK_LOCAL_PATTERN.test(written) ? NO_LINK_LOCAL : usually;
}

function isPlausible(candidate: Address): boolean {
  if (candidate.kind === 'unix')
    return Buffer.byteLength(candidate.path) <= LONGEST_SOCKET_PATH && hasNoControls(candidate.path);
  const { host, port: number } = candidate;
  return number >= 1 && HOST_PATTERN.test(host) && isPlausibleHost(host) && !LINK_LOCAL_PATTERN.test(`[${host}`);
}

function hasNoControls(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

/** Rejects text that only looks like an address (300.1.2.3, 1:2), which no resolver can resolve. */
function isPlausibleHost(host: string): boolean {
  if (host.includes(':')) return isIPv6(host);
  if (host.includes('..')) return false;
  return /^[\d.]+$/.test(host) ? isIP(host) === 4 : !host.includes('%');
}

function isPlausibleAuthority(written: string): boolean {
  const address = parseAddress(/:\d+$/.test(written) ? written : `${written}:1`);
  return address?.kind === 'tcp' && isPlausible(address);
}

function isJson(value: unknown): value is JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  return typeof value === 'object' && Object.values(value).every(isJson);
}

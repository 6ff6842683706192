import { BlockList, isIP } from 'node:net';
import { canonicalHost } from '../../base/net/host.ts';
import type { Problem } from './problem.ts';

/** The parts of a request that show its origin and its destination. */
export interface Provenance {
  readonly method: string;
  /** Request target as sent: a path, or absolute-form. */
  readonly url: string;
  /** Names and values alternating, as sent (`rawHeaders`): a second Host must not hide behind the first. */
  readonly rawHeaders: readonly string[];
}

const ALLOW = 'GET, HEAD';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Why a request is refused, or undefined. Web pages in a browser on this node must not read the endpoint. DNS
 * rebinding shows in Host; other page requests show in Origin or Sec-Fetch-Site.
 */
export function refusal(request: Provenance, allowedHosts: readonly string[]): Problem | undefined {
  const hosts = valuesOf(request, 'host');
  const [host] = hosts;
  if (host === undefined || hosts.length > 1 || hostName(host) === undefined) {
    return bad('bad_host', 'The request must carry exactly one valid Host header.');
  }
  const authorities =
    request.url.startsWith('/') || request.url === '*' ? [host] : [host, targetAuthority(request.url)];
  if (!authorities.every((authority) => authority !== undefined && isAllowed(authority, allowedHosts))) {
    return forbidden(
      'foreign_host',
      'This Host is not allowed. Use a loopback name or address, or the configured address.',
    );
  }
  const foreignOrigin = valuesOf(request, 'origin').some(
    (origin) => origin.toLowerCase() !== `http://${host}`.toLowerCase(),
  );
  if (foreignOrigin) return forbidden('foreign_origin', 'Pages of other origins may not read this endpoint.');
  if (valuesOf(request, 'sec-fetch-site').some((site) => site.toLowerCase() === 'cross-site')) {
    return forbidden('cross_site', 'Pages of other sites may not read this endpoint.');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return METHOD_NOT_ALLOWED;
  if (hasBody(request)) {
    return { ...bad('body_not_allowed', 'Send the request without a body.'), headers: { connection: 'close' } };
  }
  return undefined;
}

/** Whether the request target names a path. `*` means the server itself, and the router would take `*` and `//` for `/`. */
export function namesPath(url: string): boolean {
  return url !== '*' && !url.replace(/^http:\/\/[^/?#]*/i, '').startsWith('//');
}

export const METHOD_NOT_ALLOWED: Problem = {
  status: 405,
  code: 'method_not_allowed',
  title: 'Method Not Allowed',
  detail: 'This endpoint is read-only: GET and HEAD.',
  // The body of a refused method is not read.
  headers: { allow: ALLOW, connection: 'close' },
};

/** Host header or authority to the bare name in lower case, IPv6 without brackets; undefined when it is malformed. */
function hostName(authority: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~-]+))(?::\d{0,5})?$/.exec(authority);
  if (match?.[1] !== undefined) return isIP(match[1]) === 6 ? match[1].toLowerCase() : undefined;
  return match?.[2]?.toLowerCase().replace(/\.$/, '');
}

function isAllowed(authority: string, allowedHosts: readonly string[]): boolean {
  const name = hostName(authority);
  if (name === undefined) return false;
  if (name === 'localhost') return true;
  const version = isIP(name);
  if (version !== 0 && loopback.check(name, version === 6 ? 'ipv6' : 'ipv4')) return true;
  return allowedHosts.some((allowed) => canonicalHost(allowed) === canonicalHost(name));
}

/** RFC 9112 section 3.2.2: for an absolute-form target, Host is ignored. This guard checks both. */
function targetAuthority(url: string): string | undefined {
  return /^http:\/\/([^/?#@]+)(?:[/?#]|$)/i.exec(url)?.[1];
}

function hasBody(request: Provenance): boolean {
  if (valuesOf(request, 'transfer-encoding').length > 0) return true;
  return valuesOf(request, 'content-length').some((length) => length.trim() !== '0');
}

function valuesOf({ rawHeaders }: Provenance, name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
}

function bad(code: string, detail: string): Problem {
  return { status: 400, code, title: 'Bad Request', detail };
}

function forbidden(code: string, detail: string): Problem {
  return { status: 403, code, title: 'Forbidden', detail };
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningEndpoint, startEndpoint } from '../../../support/daemon/endpoint.ts';

let endpoint: RunningEndpoint;
beforeAll(async () => {
  endpoint = await startEndpoint({ options: { allowedHosts: () => ['Mesh.Example'] } });
});
afterAll(() => endpoint.stop());

const PROBLEM = 'application/problem+json; charset=utf-8';

/** One request as written, over its own connection; the status code and the raw answer. */
async function ask(lines: string[]): Promise<{ code: number; answer: string }> {
  const answer = await endpoint.raw(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  return { code: Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]), answer };
}

describe('Host', () => {
  test.each([
    '127.0.0.1',
    '127.0.0.1:9780',
    '127.8.9.1:1',
    'localhost',
    'LOCALHOST:80',
    'localhost.',
    '[::1]',
    '[::1]:9780',
    '[0:0:0:0:0:0:0:1]:9780',
    'mesh.example',
    'MESH.example:443',
  ])('accepts Host %s', async (host) => {
    expect((await ask(['GET /livez HTTP/1.1', `Host: ${host}`])).code).toBe(200);
  });

  test.each([
    'evil.example',
    'evil.example:9780',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'sub.localhost',
    '128.0.0.1',
    '0.0.0.0',
    '2130706433',
    '0x7f.1',
    '[::2]',
    '[::]',
    'mesh.example.evil',
  ])('rejects the foreign Host %s', async (host) => {
    const { code, answer } = await ask(['GET /status HTTP/1.1', `Host: ${host}`]);
    expect(code).toBe(403);
    expect(answer).toContain(PROBLEM);
    expect(answer).not.toContain('state-hub');
  });

  test.each([
    ['missing', []],
    ['empty', ['Host:']],
    ['twice', ['Host: 127.0.0.1', 'Host: evil.example']],
    ['with user', ['Host: user@127.0.0.1']],
    ['with path', ['Host: 127.0.0.1/x']],
    ['half an IPv6', ['Host: [::1']],
    ['not IPv6', ['Host: [127.0.0.1]']],
    ['with port text', ['Host: 127.0.0.1:http']],
  ])('rejects a malformed Host: %s', async (_case, headers) => {
    const { code, answer } = await ask(['GET /status HTTP/1.1', ...headers]);
    expect(code).toBe(400);
    expect(answer).toContain(PROBLEM);
  });

  test('rejects HTTP/1.0 without Host', async () => {
    expect((await ask(['GET /status HTTP/1.0'])).code).toBe(400);
  });

  test.each([
    ['http://127.0.0.1:9780/livez', '127.0.0.1', 200],
    ['http://[::1]/livez', '[::1]', 200],
    ['http://evil.example/livez', '127.0.0.1', 403],
    ['http://127.0.0.1/livez', 'evil.example', 403],
    ['http://127.0.0.1@evil.example/livez', '127.0.0.1', 403],
    ['https://127.0.0.1/livez', '127.0.0.1', 403],
  ])('answers absolute-form %s with Host %s with %i', async (url, host, code) => {
    expect((await ask([`GET ${url} HTTP/1.1`, `Host: ${host}`])).code).toBe(code);
  });
});

describe('Origin and Sec-Fetch-Site', () => {
  test.each([
    ['Origin: https://evil.example', 403],
    ['Origin: null', 403],
    ['Origin: http://127.0.0.1:3000', 403],
    ['Origin: https://127.0.0.1:9780', 403],
    ['Origin: ', 403],
    ['Origin: http://127.0.0.1:9780', 200],
    ['Sec-Fetch-Site: cross-site', 403],
    ['Sec-Fetch-Site: none', 200],
    ['Sec-Fetch-Site: same-origin', 200],
  ])('answers a request with %s with %i', async (header, expected) => {
    const { code, answer } = await ask(['GET /status HTTP/1.1', 'Host: 127.0.0.1:9780', header]);
    expect(code).toBe(expected);
    expect(answer.toLowerCase()).not.toContain('access-control-');
  });
});

describe('request targets', () => {
  test.each([
    '*',
    '//',
    '//?x=1',
    '///',
    '//status',
    'http://127.0.0.1//',
    'http://127.0.0.1/nope',
    '/.',
    '/%2e',
    '/%2F',
    '/%2e%2e/status',
    '/status/../livez',
    '/STATUS',
    '/status;x',
    '/*',
    '/index.html',
  ])('answers the unknown target %s with a problem document', async (target) => {
    for (const method of ['GET', 'HEAD']) {
      const { code, answer } = await ask([`${method} ${target} HTTP/1.1`, 'Host: 127.0.0.1']);
      expect(code).toBe(404);
      expect(answer).toContain(PROBLEM);
      if (method === 'GET') expect(answer).toContain('urn:fleet-mesh:problem:no_such_path');
    }
  });

  test.each(['/', '/?x=1', 'http://127.0.0.1', 'http://127.0.0.1/'])(
    'answers %s with the status page',
    async (target) => {
      const { code, answer } = await ask([`GET ${target} HTTP/1.1`, 'Host: 127.0.0.1']);
      expect({ code, isPage: answer.includes('text/html') }).toEqual({ code: 200, isPage: true });
    },
  );
});

describe('methods and bodies', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'CONNECT', 'BREW'])(
    'rejects the method %s on known and unknown paths',
    async (method) => {
      for (const path of ['/status', '/nope']) {
        const target = method === 'CONNECT' ? '127.0.0.1:1' : path;
        const { code, answer } = await ask([`${method} ${target} HTTP/1.1`, 'Host: 127.0.0.1']);
        expect(code).toBe(405);
        expect(answer.toLowerCase()).toContain('allow: get, head\r\n');
        expect(answer).toContain(PROBLEM);
      }
    },
  );

  test('rejects OPTIONS *', async () => {
    expect((await ask(['OPTIONS * HTTP/1.1', 'Host: 127.0.0.1'])).code).toBe(405);
  });

  test('ignores a method override header', async () => {
    expect((await ask(['GET /livez HTTP/1.1', 'Host: 127.0.0.1', 'X-HTTP-Method-Override: DELETE'])).code).toBe(200);
  });

  test.each([['Content-Length: 5'], ['Transfer-Encoding: chunked']])('rejects a GET with %s', async (header) => {
    const { code, answer } = await ask(['GET /status HTTP/1.1', 'Host: 127.0.0.1', header]);
    expect(code).toBe(400);
    expect(answer).toContain('body_not_allowed');
  });

  test('answers a POST at once although its body never arrives', async () => {
    const { code } = await ask(['POST /status HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: 1000000']);
    expect(code).toBe(405);
  });

  test('answers a request with Expect at once', async () => {
    expect((await ask(['GET /status HTTP/1.1', 'Host: 127.0.0.1', 'Expect: tea'])).code).toBe(417);
  });

  test('answers an upgrade as a plain request', async () => {
    const upgrade = ['Upgrade: websocket', 'Sec-WebSocket-Key: x', 'Sec-WebSocket-Version: 13'];
    expect((await ask(['GET /livez HTTP/1.1', 'Host: 127.0.0.1', ...upgrade])).code).toBe(200);
  });
});

describe('malformed requests', () => {
  test.each([
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r\n', 400],
    ['a bad version', 'GET / HTTP/9.9\r\n\r\n', 400],
    ['a space in the path', 'GET /a b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', 400],
    ['a header without colon', 'GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n', 400],
    ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n', 400],
    [
      'length and chunks at once',
      'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    ['a path that cannot be decoded', 'GET /status/%zz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n', 400],
    ['a long header', `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['a long path', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, 431],
    ['a long name', `GET /status/${'a'.repeat(1_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`, 400],
  ])('rejects a malformed request: %s', async (_case, bytes, code) => {
    const answer = await endpoint.raw(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${code} `));
    expect(answer).toContain(PROBLEM);
    expect(answer).not.toMatch(/\.ts|node_modules|FST_|HPE_/);
  });

  test('serves requests after all malformed ones', async () => {
    expect((await fetch(`${endpoint.url}/livez`)).status).toBe(200);
  });
});

test.each(['/status', '/metrics', '/nope', '/status/%zz'])('sends the security headers with %s', async (path) => {
  const { headers } = await fetch(endpoint.url + path);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-frame-options')).toBe('DENY');
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'/);
  expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
});

test('serves requests over IPv6 loopback', async () => {
  await using six = await startEndpoint({ options: { listen: { kind: 'tcp', host: '::1', port: 0 } } });
  expect((await fetch(`http://[::1]:${six.port}/livez`)).status).toBe(200);
});

import { describe, expect, it } from 'vitest';
import { checkListeners } from '../../../../src/config/check/listeners.ts';
import { outlineOf } from '../../../../src/config/outline.ts';

const collisions = (a: object, b: object, endpoint: object = { listen: '127.0.0.1:1' }) =>
  checkListeners(outlineOf({ endpoint, tunnels: { a, b } })).map(({ path }) => path.join('.'));

describe(checkListeners, () => {
  it.each([
    ['127.0.0.1:80', '127.0.0.1:80'],
    ['127.0.0.1:80', '0.0.0.0:80'],
    ['0.0.0.0:80', '127.8.8.8:80'],
    ['[::]:80', '127.0.0.1:80'],
    ['[::]:80', '[::1]:80'],
    ['[::]:80', '0.0.0.0:80'],
    ['localhost:80', '127.0.0.1:80'],
    ['[::1]:80', 'LOCALHOST:80'],
    ['localhost:80', '0.0.0.0:80'],
    ['[0:0:0:0:0:0:0:1]:80', '[::1]:80'],
    ['[0:0:0:0:0:0:0:0]:80', '127.0.0.1:80'],
    ['[::ffff:127.0.0.1]:80', '127.0.0.1:80'],
    ['localhost:80', '[0:0:0:0:0:0:0:1]:80'],
    ['unix:/run/a', 'unix:/run/a'],
    ['unix:/run/a', 'unix:/run//./b/../a'],
  ])('reports a conflict of %s and %s', (a, b) => {
    expect(collisions({ listen: a }, { listen: b })).toEqual(['tunnels.b.listen']);
  });

  it.each([
    ['127.0.0.1:80', '127.0.0.1:81'],
    ['127.0.0.1:80', '127.0.0.2:80'],
    ['0.0.0.0:80', '[::1]:80'],
    ['127.0.0.1:80', '[::1]:80'],
    ['localhost:80', '127.0.0.2:80'],
    ['unix:/run/a', 'unix:/run/b'],
    ['unix:/run/a', '127.0.0.1:80'],
  ])('accepts %s beside %s', (a, b) => {
    expect(collisions({ listen: a }, { listen: b })).toEqual([]);
  });

  it('compares remote listeners only on the same machine', () => {
    const listen = '127.0.0.1:80';
    const remote = (host: string) => ({ listen, host, direction: 'remote' });
    expect(collisions({ listen }, remote('x'))).toEqual([]);
    expect(collisions(remote('x'), remote('y'))).toEqual([]);
    expect(collisions(remote('x'), remote('x'))).toEqual(['tunnels.b.listen']);
  });

  it('includes the endpoint, also with the default address', () => {
    expect(collisions({ listen: '0.0.0.0:9780' }, {}, {})).toEqual(['tunnels.a.listen']);
  });

  it.each([
    ['127.0.0.1:9780', true],
    ['127.1.2.3:9780', true],
    ['[::1]:9780', true],
    ['localhost:9780', true],
    ['0.0.0.0:9780', false],
    ['[::]:9780', false],
    ['127.0.0.1.example.net:9780', false],
    ['192.0.2.1:9780', false],
  ])('allows the endpoint on %s without allow_remote: %s', (listen, allowed) => {
    expect(checkListeners(outlineOf({ endpoint: { listen } })).length === 0).toBe(allowed);
    expect(checkListeners(outlineOf({ endpoint: { listen, allow_remote: true } }))).toEqual([]);
  });
});

describe('a dynamic tunnel', () => {
  const dynamic = (listen: string, allow_remote?: boolean) =>
    checkListeners(
      outlineOf({
        endpoint: { listen: '127.0.0.1:1' },
        tunnels: { out: { direction: 'dynamic', listen, allow_remote } },
      }),
    ).map(({ path, message }) => `${path.join('.')}: ${message}`);

  it.each(['0.0.0.0:1080', '[::]:1080', '192.0.2.1:1080', 'node.example:1080', '[fe80::1]:1080'])(
    'needs allow_remote to listen on %s',
    (listen) => {
      expect(dynamic(listen)).toEqual([expect.stringMatching(/^tunnels\.out\.listen: .*allow_remote: true$/)]);
      expect(dynamic(listen, false)).toHaveLength(1);
      expect(dynamic(listen, true)).toEqual([]);
    },
  );

  it.each([
    '127.0.0.1:1080',
    '127.9.9.9:1080',
    '[::1]:1080',
    '[0:0:0:0:0:0:0:1]:1080',
    '[::ffff:127.0.0.1]:1080',
    'localhost:1080',
    'unix:/run/socks',
  ])('may listen on %s without allow_remote', (listen) => {
    expect(dynamic(listen)).toEqual([]);
  });
});

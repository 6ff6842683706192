import { describe, expect, it } from 'vitest';
import { parseForward } from '../../../../src/machine/import/forward.ts';

const tcp = (port: number, host?: string) => ({ kind: 'tcp', host, port });
const unix = (path: string) => ({ kind: 'unix', path });

describe(parseForward, () => {
  it.each([
    ['18000:10.0.0.5:8000', tcp(18000), tcp(8000, '10.0.0.5')],
    ['18000 [10.0.0.5]:8000', tcp(18000), tcp(8000, '10.0.0.5')],
    ['127.0.0.1:18000:db:5432', tcp(18000, '127.0.0.1'), tcp(5432, 'db')],
    ['[127.0.0.1]:18001 [fd00::1]:8000', tcp(18001, '127.0.0.1'), tcp(8000, 'fd00::1')],
    ['*:80:db:5432', tcp(80, '*'), tcp(5432, 'db')],
    [':80:db:5432', tcp(80, ''), tcp(5432, 'db')],
    ['[::1]:80:[::2]:81', tcp(80, '::1'), tcp(81, '::2')],
    ['80:/run/docker.sock', tcp(80), unix('/run/docker.sock')],
    ['h:80:/run/docker.sock', tcp(80, 'h'), unix('/run/docker.sock')],
    ['/run/a.sock:db:5432', unix('/run/a.sock'), tcp(5432, 'db')],
    ['/run/a.sock:/run/b.sock', unix('/run/a.sock'), unix('/run/b.sock')],
    ['1080', tcp(1080), undefined],
    ['127.0.0.1:1080', tcp(1080, '127.0.0.1'), undefined],
  ])('parses the forward %s', (text, listen, target) => {
    expect(parseForward(text)).toEqual({ listen, target });
  });

  it.each(['', ':', 'http:db:80', '0:db:80', '80:db:', '80:db:70000', '1:2:3:4:5', '80:db:80:90:1', '[::1:80:db:80'])(
    'rejects the forward %j',
    (text) => {
      expect(parseForward(text)).toBeUndefined();
    },
  );
});

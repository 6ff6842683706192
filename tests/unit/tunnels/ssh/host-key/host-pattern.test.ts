import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostsMatch, lookupName } from '../../../../../src/tunnels/ssh/host-key/host-pattern.ts';

test.each([
  ['Example.COM', 22, 'example.com'],
  ['example.com', 2222, '[example.com]:2222'],
  ['2001:db8::1', 22, '2001:db8::1'],
  ['2001:DB8::1', 2222, '[2001:db8::1]:2222'],
  ['0:0:0:0:0:0:0:1', 22, '::1'],
  ['2001:0db8:0000::0001', 2222, '[2001:db8::1]:2222'],
])('looks up %s port %i as %s', (host, port, name) => {
  expect(lookupName(host, port)).toBe(name);
});

describe('the hosts field', () => {
  test.each([
    ['a.example', 'a.example', true],
    ['A.Example', 'a.example', true],
    ['a.example,b.example', 'b.example', true],
    ['a.example', 'aa.example', false],
    ['*.example', 'a.b.example', true],
    ['*.example', 'example', false],
    ['h?st', 'host', true],
    ['h?st', 'hst', false],
    ['*', '[a.example]:2222', true],
    ['[a.example]:2222', '[a.example]:2222', true],
    ['[a.example]:2222', 'a.example', false],
    ['[*.example]:22??', '[a.example]:2222', true],
    ['2001:db8::1', '2001:db8::1', true],
    ['2001:db8:0:0::1', '2001:db8::1', true],
    ['[::1]', '::1', true],
    ['[::1]:22', '::1', true],
    ['[0:0:0:0:0:0:0:1]:2222', '[::1]:2222', true],
    ['[0:0:0:0:0:0:0:1]:2222', '::1', false],
    ['*,!0:0:0:0:0:0:0:1', '::1', false],
    ['2001:db8::1', '2001:db8::2', false],
    ['*.example,!bad.example', 'bad.example', false],
    ['!bad.example,*.example', 'bad.example', false],
    ['!bad.example', 'good.example', false],
    ['', 'a', false],
    [',', 'a', false],
    ['|1|no|base64!', 'a', false],
    // HMAC-SHA1 keyed with "salt" of "host.example"
    ['|1|c2FsdA==|RGrIZ2Z2pjLvf5OBVJFOPUDpt4c=', 'other.example', false],
  ])('decides for the field %s and the name %s: %s', (field, name, matches) => {
    expect(hostsMatch(field, name)).toBe(matches);
  });

  const word = fc.stringMatching(/^[a-z*?.]{1,8}$/);

  test('excludes a line with a negation of the name at any position', () => {
    const name = fc.stringMatching(/^[a-z.]{1,8}$/);
    fc.assert(
      fc.property(fc.array(word), fc.array(word), name, (before, after, host) => {
        expect(hostsMatch([...before, `!${host}`, ...after].join(','), host)).toBe(false);
      }),
    );
  });

  test('matches wildcards like the equivalent regular expression', () => {
    fc.assert(
      fc.property(word, fc.stringMatching(/^[a-c.]{1,8}$/), (pattern, name) => {
        const source = pattern.replace(/[.]/g, '\\.').replaceAll('*', '.*').replaceAll('?', '.');
        expect(hostsMatch(pattern, name)).toBe(new RegExp(`^${source}$`).test(name));
      }),
    );
  });
});

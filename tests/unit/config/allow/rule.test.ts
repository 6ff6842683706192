import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRule, RULE_PATTERN, summarizeAllow } from '../../../../src/config/allow/rule.ts';
import { rules } from './rules.ts';

describe(parseRule, () => {
  it.each([
    ['10.43.0.0/16:443', { kind: 'network', ip: Uint8Array.of(10, 43, 0, 0), bits: 16 }, [443, 443]],
    ['10.43.0.1:1-65535', { kind: 'network', ip: Uint8Array.of(10, 43, 0, 1), bits: 32 }, [1, 65_535]],
    ['0.0.0.0/0:*', { kind: 'network', ip: new Uint8Array(4), bits: 0 }, [1, 65_535]],
    ['[::/0]:*', { kind: 'network', ip: new Uint8Array(16), bits: 0 }, [1, 65_535]],
    ['[fd00::/8]:*', { kind: 'network', bits: 8 }, [1, 65_535]],
    ['[::1]:22', { kind: 'network', bits: 128 }, [22, 22]],
    ['[::ffff:10.43.0.0/112]:1', { kind: 'network', ip: Uint8Array.of(10, 43, 0, 0), bits: 16 }, [1, 1]],
    ['[::ffff:10.43.0.1]:1', { kind: 'network', ip: Uint8Array.of(10, 43, 0, 1), bits: 32 }, [1, 1]],
    ['Name.Example.:8000', { kind: 'name', name: 'name.example' }, [8000, 8000]],
    ['under_score:8000', { kind: 'name', name: 'under_score' }, [8000, 8000]],
    ['*.Example.ORG:80-90', { kind: 'below', parent: 'example.org' }, [80, 90]],
    ['*:443', { kind: 'any_name' }, [443, 443]],
  ])('parses %s', (text, hosts, ports) => {
    expect(parseRule(text)).toMatchObject({ text, hosts, ports });
    expect(text).toMatch(RULE_PATTERN);
  });

  it.each([
    '',
    'name',
    ':80',
    'name:',
    'name:0',
    'name:65536',
    'name:90-80',
    'name:80-',
    'name:-80',
    'name:80,90',
    'name:**',
    '10.43.0.0/16',
    '10.43.0.0/33:1',
    '10.43.0.0/:1',
    '10.43.0.0/16/8:1',
    '10.43.0.0/-1:1',
    '10.43.0.1/16:1',
    '10.43.0.0/1e1:1',
    '10.43:1',
    '10.43.0.0.0:1',
    '300.1.1.1:1',
    '127.1:1',
    '0x7f000001:1',
    'name.0x1:1',
    'name/8:1',
    'fd00::1:80',
    '[fd00::1/8]:1',
    '[fd00::/129]:1',
    '[fe80::1%eth0]:1',
    '[10.0.0.1]:1',
    '[::ffff:10.0.0.0/95]:1',
    '[name]:1',
    'a.*.b:1',
    '*a.b:1',
    '*.*.b:1',
    '*.:1',
    '**:1',
    'a..b:1',
    '-a:1',
    'a b:1',
    'ä.example:1',
    'name:80\n',
    `${'a'.repeat(64)}.b:1`,
    `${'a.'.repeat(130)}b:1`,
  ])('rejects %j', (text) => expect(parseRule(text)).toHaveProperty('fault'));

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void expect(parseRule(text)).toBeDefined()));
  });
});

describe(summarizeAllow, () => {
  it.each([
    [['10.43.0.0/16:443'], 'allow 10.43.0.0/16:443'],
    [['a:1', 'b:2'], 'allow a:1, b:2'],
    [
      ['10.43.0.0/16:443', '*.svc.cluster.local:80-90', '10.44.0.0/16:443'],
      'allow 10.43.0.0/16:443, *.svc.cluster.local:80-90, …',
    ],
    [[`${'a.'.repeat(50)}b:1`, 'c:1'], `allow ${'a.'.repeat(50)}b:1, …`],
  ])('summarises %j', (texts, expected) => expect(summarizeAllow(rules(...texts))).toBe(expected));
});

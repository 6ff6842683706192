import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseKnownHosts } from '../../../../../src/tunnels/ssh/host-key/known-hosts.ts';
import { runThrough } from '../../../../support/run-through.ts';
import { keyLine } from '../key-line.ts';

const parse = (text: string) => runThrough(parseKnownHosts(Buffer.from(text), 'kh'));

describe('parsing', () => {
  test('reads markers, tabs, CRLF, comments and leading blanks of known_hosts', () => {
    const text = [
      '# comment',
      '',
      `  ${keyLine('a.example', 'ssh-ed25519', 'a')} with a comment\r`,
      `@revoked\t${keyLine('*', 'ssh-rsa', 'b')}`,
      `@cert-authority ${keyLine('*.example', 'ssh-ed25519', 'c')}`,
    ].join('\n');
    const { entries, problems } = parse(text);
    expect(problems).toEqual([]);
    expect(entries.map(({ marker, hosts, type, place }) => [marker, hosts, type, place])).toEqual([
      [undefined, 'a.example', 'ssh-ed25519', 'kh:3'],
      ['revoked', '*', 'ssh-rsa', 'kh:4'],
      ['cert-authority', '*.example', 'ssh-ed25519', 'kh:5'],
    ]);
  });

  test.each([
    ['a.example', 'expected "hosts key-type key"'],
    ['a.example ssh-ed25519', 'expected "hosts key-type key"'],
    ['@wrong a ssh-ed25519 AAAA', 'unknown marker'],
    ['a ssh-ed25519 %%%', 'not base64'],
    ['a ssh-ed25519 AAAA', 'not of the type'],
    [keyLine('a', 'ssh-rsa', 'x').replace('ssh-rsa', 'ssh-ed25519'), 'not of the type'],
    ['@revoked', 'expected "hosts key-type key"'],
  ])('reports %s as a problem with its place', (line, message) => {
    const { entries, problems } = parse(`\n${line}\n`);
    expect(entries).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^kh:2: /);
    expect(problems[0]).toContain(message);
  });

  test('parses without a throw, and lists every line that is neither empty nor a comment', () => {
    // Not fast-check's own `binary`, which spends a second of CPU on a table of all code points.
    const codePoint = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));
    const marker = fc.constantFrom('', '@revoked ', '@cert-authority ', '@', '|1|');
    const line = fc.tuple(marker, fc.string({ unit: codePoint })).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.join('\n');
        const said = text.split('\n').filter((each) => each.trim() !== '' && !each.trim().startsWith('#'));
        const { entries, problems } = parse(text);
        expect(entries.length + problems.length).toBe(said.length);
      }),
    );
  });
});

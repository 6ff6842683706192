import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shellWord, splitCommand } from '../../../src/config/command-line.ts';

const split = (line: string) => splitCommand(line, '/home/fleet');

describe(splitCommand, () => {
  it.each([
    ['warden sign atm --pubkey {pubkey}', ['warden', 'sign', 'atm', '--pubkey', '{pubkey}']],
    ['  a \t b  ', ['a', 'b']],
    [`a 'b c' "d e" f\\ g`, ['a', 'b c', 'd e', 'f g']],
    [`a'b'"c"\\d`, ['abcd']],
    [`a '' ""`, ['a', '', '']],
    [`'$x | \`y\`' \\$ "\\$\\"\\\\\\n"`, ['$x | `y`', '$', '$"\\\\n']],
    ['~/bin/sign ~ ~root a~/b', ['/home/fleet/bin/sign', '/home/fleet', '~root', 'a~/b']],
    [`'~/a' "~/b" \\~/c`, ['~/a', '~/b', '~/c']],
    ['a # b', ['a', '#', 'b']],
  ])('splits %j', (line, words) => {
    expect(split(line)).toEqual(words);
  });

  it.each(['', '   ', `a 'b`, `a "b`, 'a \\', 'a | b', 'a; b', 'a && b', 'a > b', 'a $B', 'a "$B"', 'a `b`', '(a)'])(
    'rejects %j',
    (line) => {
      expect(split(line)).toEqual({ fault: expect.stringContaining('; expected ') });
    },
  );

  it('splits every accepted line like sh', () => {
    const pieces = fc.constantFrom('a', 'b c', ' ', "'", '"', '\\', '$', '|', '~', '/', 'é', '-', '=', '{pubkey}');
    const lines = fc.sample(
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
      3_000,
    );
    const accepted = lines.flatMap((line) => {
      const words = splitCommand(line, '/home/fleet');
      return 'fault' in words ? [] : [{ line, words }];
    });
    const script = accepted.map(({ line }) => `printf '%s\\0' ${line}; printf '\\n\\0'`).join('\n');
    const { stdout } = spawnSync('sh', ['-f'], { input: script, env: { HOME: '/home/fleet' }, encoding: 'utf8' });
    expect(accepted.length).toBeGreaterThan(500);
    expect(stdout).toBe(accepted.map(({ words }) => [...words, '\n'].map((word) => `${word}\0`).join('')).join(''));
  });
});

describe(shellWord, () => {
  it.each([
    ['/home/me/.ssh/id_ed25519', '/home/me/.ssh/id_ed25519'],
    ['/my keys/id', "'/my keys/id'"],
    ["it's", "'it'\\''s'"],
    ['$(reboot)', "'$(reboot)'"],
    ['', "''"],
  ])('quotes %j as %s', (text, word) => {
    expect(shellWord(text)).toBe(word);
  });
});

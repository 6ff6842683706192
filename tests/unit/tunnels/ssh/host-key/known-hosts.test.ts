import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKnownHosts, parseKnownHosts } from '../../../../../src/tunnels/ssh/host-key/known-hosts.ts';
import { keyLine } from '../key-line.ts';

describe('parsing', () => {
  test('reads markers, tabs, CRLF, comments and leading blanks of known_hosts', () => {
    const text = [
      '# comment',
      '',
      `  ${keyLine('a.example', 'ssh-ed25519', 'a')} with a comment\r`,
      `@revoked\t${keyLine('*', 'ssh-rsa', 'b')}`,
      `@cert-authority ${keyLine('*.example', 'ssh-ed25519', 'c')}`,
    ].join('\n');
    const { entries, problems } = parseKnownHosts(text, 'kh');
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
    const { entries, problems } = parseKnownHosts(`\n${line}\n`, 'kh');
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
        const { entries, problems } = parseKnownHosts(text, 'kh');
        expect(entries.length + problems.length).toBe(said.length);
      }),
    );
  });
});

describe('loading', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'known-hosts-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('loads entries and problems of known_hosts', async () => {
    const path = join(directory, 'kh');
    await writeFile(path, `${keyLine('a', 'ssh-ed25519', 'a')}\nbroken\n`);
    const known = await loadKnownHosts(path, 'coulombcore', 22);
    expect(known.entries).toHaveLength(1);
    expect(known.problems).toEqual([`${path}:2: expected "hosts key-type key"`]);
  });

  test.each([
    ['missing', undefined, 'does not exist'],
    ['empty', '', 'has no entry'],
    ['only comments', '# nothing\n\n', 'has no entry'],
    ['only broken lines', 'broken\n', 'has no usable line'],
  ])('rejects a file that is %s with host_key_unknown, and hints at the fix', async (_, content, message) => {
    const path = join(directory, 'kh');
    if (content !== undefined) await writeFile(path, content);
    await expect(loadKnownHosts(path, 'coulombcore', 22)).rejects.toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringContaining(message),
      hint: expect.stringMatching(/ssh-keyscan.*Compare/),
    });
  });

  test('reports that known_hosts is a directory', async () => {
    await expect(loadKnownHosts(directory, 'coulombcore', 22)).rejects.toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringContaining('is a directory'),
    });
  });

  test('rejects a FIFO immediately, with or without a writer', async () => {
    const path = join(directory, 'fifo');
    execFileSync('mkfifo', [path]);
    await expect(loadKnownHosts(path, 'coulombcore', 22)).rejects.toMatchObject({
      code: 'host_key_unknown',
      message: expect.stringContaining('is not a regular file'),
    });
  });
});

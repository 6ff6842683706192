import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostsMatch, lookupName } from '../../../../src/tunnels/ssh/host-key/host-pattern.ts';
import { parseKnownHosts } from '../../../../src/tunnels/ssh/host-key/known-hosts.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { runThrough } from '../../../support/run-through.ts';

const HOSTS = [
  'plain.example',
  'UPPER.example',
  'a.example,b.example,192.0.2.7',
  '*.wild.example,!bad.wild.example',
  '!veto.first,*.first',
  'h?st',
  '[ported.example]:2222',
  '[*.wild]:22??',
  '2001:db8::1',
  '[2001:db8::1]:2222',
  '@revoked revoked.example',
  '@cert-authority *.ca.example',
];

const NAMES: readonly (readonly [string, number])[] = [
  ['plain.example', 22],
  ['PLAIN.example', 22],
  ['plain.example', 2222],
  ['upper.example', 22],
  ['a.example', 22],
  ['b.example', 22],
  ['c.example', 22],
  ['192.0.2.7', 22],
  ['192.0.2.8', 22],
  ['x.wild.example', 22],
  ['x.y.wild.example', 22],
  ['bad.wild.example', 22],
  ['wild.example', 22],
  ['veto.first', 22],
  ['other.first', 22],
  ['host', 22],
  ['hoost', 22],
  ['ported.example', 2222],
  ['ported.example', 22],
  ['ported.example', 2223],
  ['x.wild', 2299],
  ['x.wild', 2300],
  ['2001:db8::1', 22],
  ['2001:db8::1', 2222],
  ['2001:db8::2', 22],
  ['revoked.example', 22],
  ['x.ca.example', 22],
];

describe.skipIf(!has('ssh-keygen'))('known_hosts as ssh-keygen reads it', () => {
  let directory: string;
  let plain: string;
  let hashed: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'known-hosts-'));
    plain = join(directory, 'plain');
    hashed = join(directory, 'hashed');
    const lines = HOSTS.map((hosts, index) => {
      const key = join(directory, `key${index}`);
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
      return `${hosts} ${readFileSync(`${key}.pub`, 'utf8').trim()}`;
    });
    writeFileSync(plain, `${lines.join('\n')}\n`);
    copyFileSync(plain, hashed);
    // Hashes every single name; wildcards and marked lines stay unchanged. The exit code reports those.
    spawnSync('ssh-keygen', ['-H', '-f', hashed]);
    expect(readFileSync(hashed, 'utf8')).toContain('|1|');
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** The line numbers that `ssh-keygen -F` finds. */
  const theirs = (file: string, host: string, port: number) =>
    [
      ...spawnSync('ssh-keygen', ['-F', lookupName(host, port), '-f', file])
        .stdout.toString()
        .matchAll(/found: line (\d+)/g),
    ].map((match) => Number(match[1]));

  const ours = (file: string, host: string, port: number) =>
    runThrough(parseKnownHosts(readFileSync(file), 'kh'))
      .entries.filter((entry) => hostsMatch(entry.hosts, lookupName(host, port)))
      .map((entry) => Number(entry.place.replace('kh:', '')));

  test.each(NAMES)('finds the same lines as ssh-keygen for %s port %i, plain and hashed', (host, port) => {
    expect(ours(plain, host, port)).toEqual(theirs(plain, host, port));
    expect(ours(hashed, host, port)).toEqual(theirs(hashed, host, port));
  });

  test('parses every line', () => {
    expect(runThrough(parseKnownHosts(readFileSync(plain), 'kh')).problems).toEqual([]);
    expect(runThrough(parseKnownHosts(readFileSync(hashed), 'kh')).problems).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { diffConfig, readdressedTunnels, summarizeDiff } from '../../../src/config/diff.ts';
import { parseConfig } from '../../../src/config/load.ts';

const BASE = `version: 1
node: a
hosts:
  a: { address: 192.0.2.1, user: fleet }
  b: { address: 192.0.2.2, user: fleet }
actors:
  x: { key: /keys/x }
  y: { key: /keys/y }
tunnels:
  one: { host: a, actor: x, listen: 127.0.0.1:1, target: 10.0.0.1:1, probe: { http: { path: /, json: { ok: true } } } }
  two: { host: a, actor: x, listen: 127.0.0.1:2, target: 10.0.0.1:2 }
`;

const load = (text: string): Config => parseConfig(Buffer.from(text), 'f.yaml', { HOME: '/home/fleet' });

/** BASE with one piece of text replaced. */
function edited(from: string, to: string): Config {
  expect(BASE).toContain(from);
  return load(BASE.replace(from, to));
}

describe(diffConfig, () => {
  it.each([
    ['listen', '127.0.0.1:1,', '127.0.0.1:3,'],
    ['target', '10.0.0.1:1,', '10.0.0.2:1,'],
    ['link', 'one: { host: a', 'one: { host: b'],
    ['link', 'one: { host: a, actor: x', 'one: { host: a, actor: y'],
    ['probe', 'ok: true', 'ok: false'],
    ['probe', ', probe: { http: { path: /, json: { ok: true } } }', ''],
    ['label', 'one: {', 'one: { note: hello,'],
    ['label', 'one: {', 'one: { production: true,'],
    ['drain', 'one: {', 'one: { drain: { step: "1.1" },'],
    ['limits', 'one: {', 'one: { while_down: refuse,'],
    ['limits', 'one: {', 'one: { max_connections: 5,'],
  ])('reports a change of %s: %j -> %j', (aspect, from, to) => {
    const diff = diffConfig(load(BASE), edited(from, to));
    expect(diff).toEqual({
      added: [],
      removed: [],
      changed: new Map([['one', new Set([aspect])]]),
      links: [],
      daemon: new Set(),
    });
    expect(summarizeDiff(diff)).toBe(`1 tunnel changed (${aspect})`);
  });

  it.each([
    ['address', '192.0.2.1,', '192.0.2.9,', true],
    ['user', 'user: fleet', 'user: other', true],
    ['port', 'user: fleet', 'user: fleet, port: 2222', true],
    ['known_hosts', 'user: fleet', 'user: fleet, known_hosts: /k', true],
    ['key', 'key: /keys/x', 'key: agent', true],
    ['passphrase_file', 'key: /keys/x', 'key: /keys/x, passphrase_file: /p', false],
    ['cert_command', 'key: /keys/x', 'key: /keys/x, cert_command: sign', false],
    ['connect_timeout', 'user: fleet', 'user: fleet, connect_timeout: 1s', true],
    ['keepalive', 'user: fleet', 'user: fleet, keepalive: { every: 1s }', true],
    ['sessions', 'user: fleet', 'user: fleet, sessions: 1', false],
    ['jump', 'user: fleet', 'user: fleet, jump: b', true],
    ['endpoint', 'user: fleet', 'user: fleet, endpoint: none', false],
    ['ca_fingerprints', 'key: /keys/x', `key: /keys/x, ca_fingerprints: ['SHA256:${'A'.repeat(43)}']`, false],
    ['principals', 'key: /keys/x', 'key: /keys/x, principals: [x]', false],
    ['renew_after', 'key: /keys/x', 'key: /keys/x, renew_after: 0.6', false],
    ['drain_timeout', 'key: /keys/x', 'key: /keys/x, drain_timeout: 5m', false],
    ['on_expiry', 'key: /keys/x', 'key: /keys/x, on_expiry: cut', false],
    ['fallback', 'key: /keys/x', 'key: /keys/x, fallback: { key: /keys/z, exception: e }', false],
  ])('reports a change of a link: %s', (aspect, from, to, needsNewSessions) => {
    const diff = diffConfig(load(BASE), edited(from, to));
    expect(diff.changed.size).toBe(0);
    expect(diff.links).toEqual([{ host: 'a', actor: 'x', aspects: new Set([aspect]), needsNewSessions }]);
    expect(summarizeDiff(diff)).toBe(`link a/x changed (${aspect})`);
  });

  it('reports a change of a jump host only for the link of the jump host', () => {
    const jumping = BASE.replace('user: fleet }', 'user: fleet, jump: { host: b, actor: y } }');
    const diff = diffConfig(load(jumping), load(jumping.replace('192.0.2.2', '192.0.2.9')));
    expect(diff.links).toEqual([{ host: 'b', actor: 'y', aspects: new Set(['address']), needsNewSessions: true }]);
    expect(diff.changed.size).toBe(0);
  });

  it.each([
    ['node', 'node: a', 'node: b'],
    ['endpoint', 'node: a', 'node: a\nendpoint: { listen: 127.0.0.1:9781 }'],
    ['stop_grace', 'node: a', 'node: a\nstop_grace: 1s'],
    ['log', 'node: a', 'node: a\nlog: { level: warn }'],
    ['log', 'node: a', 'node: a\nlog: { format: text }'],
  ])('reports a change of the daemon: %s', (aspect, from, to) => {
    const diff = diffConfig(load(BASE), edited(from, to));
    expect(diff.daemon).toEqual(new Set([aspect]));
    expect(summarizeDiff(diff)).toBe(`${aspect} changed`);
  });

  it('says that a running daemon keeps its state_dir', () => {
    const diff = diffConfig(load(BASE), edited('node: a', 'node: b\nstate_dir: /elsewhere'));
    // Without a runtime directory, the control socket is in the state directory.
    expect(diff.daemon).toEqual(new Set(['node', 'control', 'state_dir']));
    expect(summarizeDiff(diff)).toBe('node, control changed, state_dir stays as it is until a restart');
  });

  it('reports added, removed and renamed tunnels, and no others', () => {
    const diff = diffConfig(load(BASE), edited('two: {', 'three: {'));
    expect(diff).toMatchObject({ added: ['three'], removed: ['two'], changed: new Map(), links: [] });
    expect(summarizeDiff(diff)).toBe('1 tunnel added, 1 removed');
  });

  it.each([
    ['a comment', 'node: a', '# hello\nnode: a'],
    ['an explicit default', 'node: a', 'node: a\nstop_grace: 10000ms'],
    ['a host without tunnels', '192.0.2.2', '192.0.2.3'],
    ['the order of the keys', 'host: a, actor: x', 'actor: x, host: a'],
  ])('reports no change for %s', (_, from, to) => {
    const diff = diffConfig(load(BASE), edited(from, to));
    const nothing = { added: [], removed: [], changed: new Map(), links: [], daemon: new Set() };
    expect(diff).toEqual(nothing);
    expect(summarizeDiff(diff)).toBe('nothing changed');
  });

  it('summarises all changes in one line', () => {
    const text = BASE.replace('node: a', 'node: b')
      .replace('10.0.0.1:1,', '10.0.0.2:1,')
      .replace('two: {', 'two: { production: true,')
      .replace('/keys/x', '/keys/z')
      .concat('  three: { host: a, actor: x, listen: 127.0.0.1:3, target: 10.0.0.1:3 }\n');
    expect(summarizeDiff(diffConfig(load(BASE), load(text)))).toBe(
      '2 tunnels changed (target, label), 1 added, link a/x changed (key), node changed',
    );
  });
});

describe(readdressedTunnels, () => {
  it.each([
    ['the address of the host', '192.0.2.1,', '192.0.2.9,', ['one', 'two']],
    ['the port of the host', 'user: fleet }\n  b', 'user: fleet, port: 2222 }\n  b', ['one', 'two']],
    ['the way to the host', 'user: fleet }\n  b', 'user: fleet, jump: b }\n  b', ['one', 'two']],
    ['another host', '192.0.2.2,', '192.0.2.9,', []],
    ['the key', '/keys/x', '/keys/z', []],
  ])('names the tunnels that may lead to another machine after a change of %s', (_, from, to, names) => {
    expect(readdressedTunnels(load(BASE), edited(from, to))).toEqual(names);
  });

  it('names the tunnels behind a jump host with another address', () => {
    const jumping = BASE.replace('192.0.2.1, user: fleet', '192.0.2.1, user: fleet, jump: b');
    const moved = jumping.replace('192.0.2.2,', '192.0.2.9,');
    expect(readdressedTunnels(load(jumping), load(moved))).toEqual(['one', 'two']);
    expect(readdressedTunnels(load(jumping), load(jumping))).toEqual([]);
  });
});

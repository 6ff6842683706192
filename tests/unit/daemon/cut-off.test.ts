import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { refuseCutOffReload, refuseCutOffStart } from '../../../src/daemon/cut-off.ts';

const HEAD = 'version: 1\nnode: here\nhosts: { here: { address: 127.0.0.1 }, there: { address: a, user: u } }\n';
const ACTORS = 'actors: { agt-key: { key: k } }\n';
const TUNNELS = 'tunnels: { hub: { host: there, actor: agt-key, target: "t:1", listen: "127.0.0.1:2000" } }\n';
const configOf = (yaml: string) => parseConfig(Buffer.from(yaml), 'f.yaml', { HOME: '/h' });

const whole = configOf(HEAD + ACTORS + TUNNELS);
const cutOff = configOf(HEAD + ACTORS);
const emptied = configOf(`${HEAD}${ACTORS}tunnels: {}\n`);

describe('a file without the key "tunnels"', () => {
  it('is refused by a reload while a tunnel runs', () => {
    expect(() => refuseCutOffReload(whole, cutOff)).toThrow(/f\.yaml:1:1: .*may be cut off; 1 tunnel runs; expected/);
    expect(() => refuseCutOffReload(whole, emptied)).not.toThrow();
    expect(() => refuseCutOffReload(cutOff, cutOff)).not.toThrow();
  });

  it('is refused by a start that would forget a retired tunnel', () => {
    expect(() => refuseCutOffStart(['hub'], cutOff)).toThrow(/retired tunnels \(hub\); expected the tunnels/);
    expect(() => refuseCutOffStart(['hub'], emptied)).not.toThrow();
    expect(() => refuseCutOffStart([], cutOff)).not.toThrow();
  });

  it('is no mistake where no tunnel would be lost, unlike an empty value', () => {
    expect(cutOff.tunnels.size).toBe(0);
    expect(() => configOf(`${HEAD}${ACTORS}tunnels:\n`)).toThrow(/tunnels/);
  });
});

import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { linksOf, wayTo } from '../../../src/config/way.ts';

const CONFIG = parseConfig(
  Buffer.from(`version: 1
node: near
hosts:
  near: { address: 192.0.2.1, user: fleet }
  middle: { address: 192.0.2.2, user: fleet, jump: { host: near, actor: x } }
  far: { address: 192.0.2.3, user: fleet, jump: middle }
actors:
  x: { key: /keys/x }
  y: { key: /keys/y }
tunnels:
  one: { host: far, actor: y, listen: 127.0.0.1:1, target: 10.0.0.1:1 }
  two: { host: near, actor: x, listen: 127.0.0.1:2, target: 10.0.0.1:2 }
`),
  'f.yaml',
  {},
);

describe(wayTo, () => {
  it('lists the hops from last to first, with the same actor unless the jump names another', () => {
    expect(wayTo(CONFIG, { host: 'far', actor: 'y' })).toEqual([
      { host: 'far', actor: 'y' },
      { host: 'middle', actor: 'y' },
      { host: 'near', actor: 'x' },
    ]);
  });
});

describe(linksOf, () => {
  it('lists every link once, jump hosts before the hosts behind them', () => {
    expect([...linksOf(CONFIG).keys()]).toEqual(['x/near', 'y/middle', 'y/far']);
  });
});

import { parseAddress } from '../../base/net/address.ts';
import { bodies, type Outline } from '../outline.ts';
import type { Finding } from '../problem.ts';
import { describeLoop, type Entrance, successorLoop } from '../successor-loop.ts';

/** No successor leads back to the port of its own tunnel. */
export function checkSuccessors({ tunnels }: Outline): Finding[] {
  const entrances = bodies(tunnels).flatMap(([name, { direction = 'local', listen, drain }]): Entrance[] => {
    const address = listen === undefined ? undefined : parseAddress(listen);
    if (address === undefined || direction === 'remote' || direction === 'mistaken') return [];
    return [{ name, listen: address, successor: parseAddress(drain?.successor?.target ?? '') }];
  });
  return entrances.flatMap(({ name }): Finding[] => {
    const loop = successorLoop(name, entrances);
    if (loop === undefined) return [];
    const message = `${describeLoop(loop)}; expected the address of the service itself`;
    return [{ path: ['tunnels', name, 'drain', 'successor', 'target'], message, at: 'value' }];
  });
}

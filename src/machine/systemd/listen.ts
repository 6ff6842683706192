import { keepReserve, type Listen, listen } from '../../base/net/listener.ts';
import type { InheritedSockets } from './inherited-sockets.ts';

/** Makes a tunnel's listener of the socket that systemd passed for it, and binds the address where there is none. */
export function listenFor(tunnel: string, sockets: InheritedSockets): Listen {
  return async (address, onConnection, onError) => {
    const taker = { onConnection: keepReserve(onConnection, onError), onError };
    const giveBack = sockets.claim({ user: { kind: 'tunnel', name: tunnel }, address }, taker);
    if (giveBack === undefined) return listen(address, onConnection, onError);
    return { address, by: 'systemd', close: async () => giveBack() };
  };
}

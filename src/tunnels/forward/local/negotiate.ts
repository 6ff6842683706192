import type { Socket } from 'node:net';
import type { Signal } from '../../../base/async/signal.ts';
import { type TunnelError, TurnedAway } from '../../../base/errors.ts';
import { type Address, formatAddress } from '../../../base/net/address.ts';
import { isAllowed } from '../../../config/allow/match.ts';
import type { AllowRule } from '../../../config/allow/rule.ts';
import { readDestination } from '../socks/handshake.ts';
import { farewell, REPLY, replyBytes, replyFor } from '../socks/reply.ts';

/** The target of a client, and how the client gets the result. */
export interface Negotiation {
  /** As reached from the far side. */
  readonly target: Address;
  /** The channel is open: the reply to the client must come before the target's bytes. */
  granted(): void;
  /** No channel opened. The socket is reset afterwards, unless this call ended it. */
  refused(error: TunnelError): void;
}

/**
 * Finds the target of a client. May read from the (paused) socket and write to it. Rejects when the client cannot be
 * served, after replying to the client.
 */
export type Negotiate = (socket: Socket, signal: Signal) => Negotiation | Promise<Negotiation>;

/** For a local forward (ssh(1) `-L`): all clients go to one target. */
export function fixedTarget(target: Address): Negotiate {
  const negotiation = { target, granted: () => {}, refused: () => {} };
  return () => negotiation;
}

/**
 * For a dynamic forward (ssh(1) `-D`): each client names its target in SOCKS5, and `allow` decides.
 */
export function socksTarget(allow: readonly AllowRule[]): Negotiate {
  return async (socket, signal) => {
    const destination = await readDestination(socket, signal);
    const target = { kind: 'tcp', host: destination.asked, port: destination.port } as const;
    if (!isAllowed(allow, destination)) {
      farewell(socket, replyBytes(REPLY.not_allowed));
      throw new TurnedAway(
        'forward_denied',
        `a client requested ${formatAddress(target)}, but no allow rule covers this destination`,
        {
          hint: 'Add a rule to `allow` of the tunnel, or find the client: `fleet-mesh why` shows the clients of a tunnel.',
        },
      );
    }
    return {
      target,
      granted: () => socket.write(replyBytes(REPLY.succeeded)),
      refused: (error) => farewell(socket, replyBytes(replyFor(error))),
    };
  };
}

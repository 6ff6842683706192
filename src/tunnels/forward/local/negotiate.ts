import type { Socket } from 'node:net';
import { type TunnelError, TurnedAway } from '../../../base/errors.ts';
import { type Address, formatAddress } from '../../../base/net/address.ts';
import { isAllowed } from '../../../config/allow/match.ts';
import type { AllowRule } from '../../../config/allow/rule.ts';
import { readDestination } from '../socks/handshake.ts';
import { farewell, REPLY, replyBytes, replyFor } from '../socks/reply.ts';

/** Where a client wants to go, and how it hears of the outcome. */
export interface Negotiation {
  /** As reached from the far side. */
  readonly target: Address;
  /** The channel is open: the last moment to say something to the client before the target's bytes do. */
  granted(): void;
  /** There is no channel. The socket is reset afterwards, unless this call has ended it. */
  refused(error: TunnelError): void;
}

/**
 * Finds out where a client wants to go. May read from the (paused) socket and write to it. Rejects when the client
 * cannot be served; the client has then been told.
 */
export type Negotiate = (socket: Socket, signal: AbortSignal) => Promise<Negotiation>;

/** A local forward (ssh(1) `-L`) asks its clients nothing: they all go to one target. */
export function fixedTarget(target: Address): Negotiate {
  const negotiation = { target, granted: () => {}, refused: () => {} };
  return async () => negotiation;
}

/**
 * A dynamic forward (ssh(1) `-D`) asks each client where it wants to go, in SOCKS5, and lets it go where `allow` says.
 */
export function socksTarget(allow: readonly AllowRule[]): Negotiate {
  return async (socket, signal) => {
    const destination = await readDestination(socket, signal);
    const target = { kind: 'tcp', host: destination.asked, port: destination.port } as const;
    if (!isAllowed(allow, destination)) {
      farewell(socket, replyBytes(REPLY.not_allowed));
      throw new TurnedAway(
        'forward_denied',
        `a client asked for ${formatAddress(target)}, which allow does not cover`,
        {
          hint: 'Add a rule to allow, or find out which client asks.',
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

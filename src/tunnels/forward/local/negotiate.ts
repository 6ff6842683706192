import { TurnedAway } from '../../../base/errors.ts';
import { formatAddress } from '../../../base/net/address.ts';
import { isAllowed } from '../../../config/allow/match.ts';
import type { AllowRule } from '../../../config/allow/rule.ts';
import { farewell } from '../socks/farewell.ts';
import { readDestination } from '../socks/handshake.ts';
import { REPLY, replyBytes, replyFor } from '../socks/reply.ts';
import type { Negotiate } from './listen-forward.ts';

/** A dynamic forward (ssh(1) `-D`) asks each client where it wants to go, in SOCKS5, and lets it go where `allow` says. */
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
          hint: 'Add a rule for it to allow, or find out who asks.',
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

import type { Socket } from 'node:net';
import type { Channel } from './channel-source.ts';

/** How a connection ended: both sides to the end, the client's reset, or the loss of the session under it. */
export type RelayEnd = 'finished' | 'client_reset' | 'session_lost';

/**
 * Joins a client's socket and a channel until both are done with. Half-close goes through both ways, backpressure is
 * the streams' own, and bytes are counted by the socket itself: nothing here runs per chunk but `pipe`.
 *
 * A session that dies under the connection resets the client, unless everything the target sent has arrived: a clean
 * end of stream would pass a truncated answer for a whole one. `signal` ends it whatever is still on its way.
 */
export function relay(client: Socket, channel: Channel, signal: AbortSignal): Promise<RelayEnd> {
  return new Promise((resolve) => {
    const { stream } = channel;
    let end: RelayEnd = 'finished';

    let settled = false;
    const settle = () => {
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', onAbort);
      channel.close();
      resolve(end);
    };
    const onAbort = () => {
      client.resetAndDestroy();
      settle();
    };
    signal.addEventListener('abort', onAbort, { once: true });

    client.once('error', () => {
      if (end === 'finished') end = 'client_reset';
    });
    client.once('close', () => {
      // The client has said all and heard all, but its last bytes may still wait for the channel's window: closing the
      // channel now would end them short, with a clean end of stream at the target.
      const orderly = end === 'finished' && client.readableEnded && client.writableFinished;
      if (orderly && !stream.writableFinished && !stream.closed) stream.once('finish', settle).once('close', settle);
      // A reset cannot be passed on through SSH: closing the channel is all there is.
      else settle();
    });
    stream.once('close', () => closeAfterLastByte(client));
    channel.onLost((complete) => {
      end = 'session_lost';
      client.unpipe(stream);
      if (client.destroyed) {
        settle();
      } else if (complete) {
        client.resume();
        closeAfterLastByte(client);
      } else {
        stream.unpipe(client);
        client.resetAndDestroy();
      }
    });
    if (client.destroyed) {
      if (end === 'finished') end = 'client_reset';
      settle();
      return;
    }
    client.pipe(stream);
    stream.pipe(client);
  });
}

/** The channel takes nothing more: what it still holds for the client is delivered, then the connection is closed. */
function closeAfterLastByte(client: Socket): void {
  if (client.writableFinished) client.destroy();
  else client.once('finish', () => client.destroy());
}

import type { Socket } from 'node:net';
import type { Signal } from '../../base/async/signal.ts';
import { onceEnded, pour } from '../../base/net/pour.ts';
import { readInPlace } from '../../base/net/read-in-place.ts';
import type { Channel } from '../channel/channel-source.ts';
import { resetClient } from './reset.ts';

/** How a connection ended: both sides to the end, the client's reset, or the loss of the session under it. */
export type RelayEnd = 'finished' | 'client_reset' | 'session_lost';

/**
 * Joins a client's socket and a channel until both have ended. Half-close passes both ways, the streams apply
 * backpressure themselves, and the socket counts its bytes: only `write` runs per chunk.
 *
 * A session that dies under the connection resets the client, unless everything the target sent has arrived: after a
 * clean end of stream, the client would take a truncated answer for a whole one. The last bytes of a client that has
 * ended still reach the target.
 *
 * @param signal cuts the connection where it is
 */
export function relay(client: Socket, channel: Channel, signal: Signal): Promise<RelayEnd> {
  return new Promise((resolve) => {
    const { stream } = channel;
    let end: RelayEnd = 'finished';
    // ssh2 emits 'close' itself and does not set the stream's own flag.
    let channelClosed = false;

    let finished = false;
    const finish = () => {
      if (finished) return;
      finished = true;
      signal.removeEventListener('abort', cut);
      // SSH has no reset, so the channel is closed instead.
      if (end === 'client_reset' && channel.reset) channel.reset();
      else channel.close();
      resolve(end);
    };
    const cut = () => {
      resetClient(client);
      finish();
    };
    signal.addEventListener('abort', cut, { once: true });

    let stopReading = () => {};
    client.once('error', () => {
      if (end === 'finished') end = 'client_reset';
    });
    client.once('close', () => {
      const owesTarget = client.readableEnded && !stream.writableFinished && !channelClosed && end !== 'session_lost';
      if (owesTarget) stream.once('finish', finish).once('close', finish);
      else finish();
    });
    stream.once('close', () => {
      channelClosed = true;
      closeAfterLastByte(client);
    });
    channel.onLost((complete) => {
      end = 'session_lost';
      stopReading();
      if (client.closed) {
        finish();
      } else if (complete) {
        client.resume();
        closeAfterLastByte(client);
      } else {
        stream.unpipe(client);
        resetClient(client);
      }
    });
    if (client.destroyed || signal.aborted) {
      end = 'client_reset';
      cut();
      return;
    }
    const stopPouring = pour(client, stream, () => stream.end());
    const otherReader = channel.copiesWrites ? readInPlace(client, stream) : undefined;
    stopReading = () => {
      stopPouring();
      otherReader?.();
    };
    stream.pipe(client, { end: false });
    onceEnded(stream, () => endWrites(client));
  });
}

/** After the last byte both ways, closing the connection ends it as cleanly: one call of the kernel instead of two. */
function endWrites(client: Socket): void {
  if (client.readableEnded && client.writableLength === 0 && !client.writableEnded) client.destroy();
  else client.end();
}

/** The channel takes no more bytes. Its last bytes for the client are delivered, then the connection closes. */
function closeAfterLastByte(client: Socket): void {
  if (client.writableFinished) client.destroy();
  else client.once('finish', () => client.destroy());
}

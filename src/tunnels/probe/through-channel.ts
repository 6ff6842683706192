import type { Duplex } from 'node:stream';
import { abortable } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { Channel, ChannelSource, Originator } from '../channel/channel-source.ts';

/** Characters of somebody else's text that a message quotes: a reason is one sentence. */
export const QUOTED_LIMIT = 80;

/** There is no client connection behind a probe; it comes from this daemon. */
const ORIGINATOR: Originator = { address: '127.0.0.1', port: 0 };

function own(channel: Channel): Channel {
  // For the life of the stream: it can fail at any time, also after it was closed.
  channel.stream.on('error', () => {});
  return channel;
}

/**
 * Opens a channel for one check and closes it on every path, also when it opens only after the signal aborted. Goes to
 * the link, not through the tunnel's listener, so that a probe is never counted as use.
 *
 * Rejects with the signal's reason when that aborts, and with `connection_reset` when the SSH session is lost meanwhile,
 * before the end of the stream can be taken for the target's doing. `over` aborts once the check is done with.
 */
export async function throughChannel<Result>(
  source: ChannelSource,
  target: Address,
  signal: AbortSignal,
  use: (stream: Duplex, over: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const opening = source.open(target, ORIGINATOR, signal);
  const channel = await abortable(opening, signal).then(own, (error: unknown) => {
    opening.then(
      (late) => own(late).close(),
      () => {},
    );
    throw error;
  });
  const over = new AbortController();
  try {
    const lost = new Promise<never>((_, reject) => {
      channel.onLost(() => reject(new TunnelError('connection_reset', 'the SSH session was lost during the probe')));
    });
    return await abortable(Promise.race([use(channel.stream, over.signal), lost]), signal);
  } finally {
    over.abort();
    channel.close();
  }
}

/** The target is there and does not do what the probe expects of it: of the public codes, `target_unreachable` is next. */
export function wrongAnswer(message: string, cause?: unknown): TunnelError {
  return new TunnelError('target_unreachable', message, {
    cause,
    hint: "The target is reached, but does not answer as the probe expects: look into the service's log.",
  });
}

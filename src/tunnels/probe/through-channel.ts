import type { Duplex } from 'node:stream';
import { abortable } from '../../base/async/deadline.ts';
import { onceAborted } from '../../base/async/follow.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { Channel, ChannelSource, Originator } from '../channel/channel-source.ts';

/** At most this many characters of foreign text are quoted in a message. */
export const QUOTED_LIMIT = 80;

/** No client opens a probe's channel: this daemon does. */
const ORIGINATOR: Originator = { address: '127.0.0.1', port: 0 };

/** A reason of our own: without one, each abort makes an error with a stack. */
const CHECK_OVER = new Error('the check is over');

function own(channel: Channel): Channel {
  // For the life of the stream: it can fail at any time, even after its close.
  channel.stream.on('error', () => {});
  return channel;
}

/**
 * Opens a channel for one check and always closes it, even if it opens after the signal aborted. The channel does not use
 * the tunnel's listener, so a probe never counts as use.
 *
 * Rejects with the signal's reason, or with `connection_reset` when the SSH session is lost. So a lost session never
 * counts as the target's failure.
 *
 * @param use gets a signal that aborts when the check ends; a signal costs more than the rest of a plain check, so only
 * who asks during the call gets one
 */
export async function throughChannel<Result>(
  source: ChannelSource,
  target: Address,
  signal: AbortSignal,
  use: (stream: Duplex, over: () => AbortSignal) => Promise<Result>,
): Promise<Result> {
  const opening = source.open(target, ORIGINATOR, signal);
  const channel = await abortable(opening, signal).then(own, (error: unknown) => {
    opening.then(
      (late) => own(late).close(),
      () => {},
    );
    throw error;
  });
  let over: AbortController | undefined;
  let unwatch = () => {};
  const signalOfEnd = () => {
    over ??= new AbortController();
    return over.signal;
  };
  try {
    return await new Promise<Result>((resolve, reject) => {
      channel.onLost(() => reject(new TunnelError('connection_reset', 'the SSH session was lost during the probe')));
      unwatch = onceAborted(signal, reject);
      use(channel.stream, signalOfEnd).then(resolve, reject);
    });
  } finally {
    unwatch();
    over?.abort(CHECK_OVER);
    channel.close();
  }
}

/** The target answers, but not as the probe expects. The nearest public code is `target_unreachable`. */
export function wrongAnswer(message: string, cause?: unknown): TunnelError {
  return new TunnelError('target_unreachable', message, {
    cause,
    hint: "The target answers, but not as the probe expects. Check the service's log, and `probe` of the tunnel.",
  });
}

import { once } from 'node:events';
import { withDeadline } from '../../base/async/deadline.ts';
import { isSessionLoss, TunnelError, UselessCredential } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import type { LinkSession } from './session.ts';

/** Nobody's connection: it comes from this daemon. */
const ORIGINATOR: Originator = { address: '127.0.0.1', port: 0 };

/** A refusal comes at once; who is still connecting after this long was allowed to. In milliseconds. */
const ANSWER_MS = 2_000;
/** Each costs a round trip at least; what the first few say of the credential, the others would say as well. */
const MOST_ASKED = 3;
/** Not worth more: a target's end may take its time. */
const CLOSE_MS = 250;

/**
 * Whether a session with a new credential can do what the one that it is to replace can. That it is logged in says little: a
 * certificate without permit-port-forwarding (PROTOCOL.certkeys) logs in, and then every channel is refused. Rejects when
 * the server forbids a channel that it grants to the old session, or when the new session is lost.
 *
 * @param targets of the tunnels; a target that is down, or silent, proves as much as one that answers
 */
export async function proveAgainst(
  old: LinkSession | undefined,
  session: LinkSession,
  targets: readonly Address[],
  signal: AbortSignal,
): Promise<void> {
  for (const target of targets.slice(0, MOST_ASKED)) {
    const refusal = await refusalOf(session, target, signal);
    if (!refusal) return;
    // Then the server's rules forbid it to anybody, and the credential is as good as the last; or there is nothing to lose.
    if (!old?.usable || (await refusalOf(old, target, signal).catch(() => refusal))) continue;
    throw new UselessCredential('forward_denied', `logged in with the new credential, but ${refusal.message}`, {
      cause: refusal,
      hint: 'Check its permissions: permit-port-forwarding in a certificate, restrict or permitopen= of a key on the host.',
    });
  }
}

/**
 * Waits for the server's close as well. sshd has Nagle's algorithm on: while that close is on its way unacknowledged, its next
 * answer waits up to 40 ms for our kernel's delayed acknowledgement, and the next question is how long a listener is gone.
 */
async function closed(channel: Channel, parent: AbortSignal): Promise<void> {
  const late = () => new TunnelError('target_unreachable', 'no end');
  const close = (signal: AbortSignal) => {
    const over = once(channel.stream, 'close', { signal });
    channel.close();
    return over;
  };
  await withDeadline(CLOSE_MS, parent, late, close).catch(() => {});
  parent.throwIfAborted();
}

/** The server's word that it forbids a channel; undefined when it does not. Rejects when the session is lost. */
async function refusalOf(session: LinkSession, target: Address, parent: AbortSignal): Promise<TunnelError | undefined> {
  const silent = () => new TunnelError('target_unreachable', 'no answer');
  try {
    const channel = await withDeadline(ANSWER_MS, parent, silent, (signal) => session.open(target, ORIGINATOR, signal));
    await closed(channel, parent);
    return undefined;
  } catch (thrown) {
    parent.throwIfAborted();
    const error = TunnelError.from(thrown);
    if (isSessionLoss(error)) throw error;
    return error.code === 'forward_denied' ? error : undefined;
  }
}

import { once } from 'node:events';
import { isIP } from 'node:net';
import { withDeadline } from '../../base/async/deadline.ts';
import { isSessionLoss, TunnelError, UselessCredential } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import type { LinkSession } from './session.ts';

/** An address where nothing listens: a refusal there proves forwarding, for links without a target. */
export const NOWHERE: Address = { kind: 'tcp', host: '127.0.0.1', port: 1 };

/** No client opens these channels: this daemon does. */
const ORIGINATOR: Originator = { address: '127.0.0.1', port: 0 };

/** A server refuses at once; without an answer for this long, the channel was allowed. In milliseconds. */
const ANSWER_MS = 2_000;
/** Each target costs at least one round trip, and the first few targets are enough proof. */
const MOST_ASKED = 3;
/** The wait for a channel's end is at most this long: a slow target may delay it. In milliseconds. */
const CLOSE_MS = 250;

/**
 * Proves that a new session can do what the old session can. A login proves little: a certificate without
 * permit-port-forwarding (PROTOCOL.certkeys) logs in, and then every channel is refused. Rejects when the server forbids
 * a channel that it grants to the old session, or when the new session is lost.
 *
 * @param targets of the tunnels; a target that is down or silent proves as much as one that answers
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
    if (!(await isGranted(old, target, signal))) continue;
    throw new UselessCredential('forward_denied', `the new credential can log in, but ${refusal.message}`, {
      cause: refusal,
      hint: 'Certificate: add permit-port-forwarding. Key: check restrict and permitopen= in authorized_keys on the host.',
    });
  }
}

/**
 * Proves that one more session of a link can do something that the serving session can: a session outlives the settings of
 * the server and of the account. Rejects when the server forbids each channel, and grants one to the serving session. Only
 * addresses are asked: a name may freeze the session.
 */
export async function proveFurther(
  serving: LinkSession,
  session: LinkSession,
  targets: readonly Address[],
  signal: AbortSignal,
): Promise<void> {
  // Without a serving session the new one is needed at once, whatever it can do.
  const needed = serving.closed.then(() => undefined);
  const refusal = await Promise.race([refusalOfAll(serving, session, targets.filter(isPlain), signal), needed]);
  if (!refusal) return;
  throw new TunnelError('forward_denied', `a new SSH session can log in, but ${refusal.message}`, {
    cause: refusal,
    hint: refusal.hint,
  });
}

/** A refusal that the old session does not get; undefined if the new session gets a channel, or the old one gets none. */
async function refusalOfAll(
  old: LinkSession,
  session: LinkSession,
  targets: readonly Address[],
  signal: AbortSignal,
): Promise<TunnelError | undefined> {
  let worse: TunnelError | undefined;
  for (const target of targets.slice(0, MOST_ASKED)) {
    const refusal = await refusalOf(session, target, signal);
    if (!refusal) return undefined;
    if (!worse && (await isGranted(old, target, signal))) worse = refusal;
  }
  return worse;
}

/** The server may forbid {@link NOWHERE} and grant all targets (`PermitOpen`). */
function isPlain(target: Address): boolean {
  return target !== NOWHERE && (target.kind === 'unix' || isIP(target.host) !== 0);
}

/** Whether the server grants the channel to the old session. If not, the new one is no worse. */
async function isGranted(old: LinkSession | undefined, target: Address, signal: AbortSignal): Promise<boolean> {
  if (!old?.usable) return false;
  return refusalOf(old, target, signal).then(
    (refusal) => refusal === undefined,
    () => false,
  );
}

/**
 * Closes the channel and waits for the server's close. sshd uses Nagle's algorithm: while its close is unacknowledged, its
 * next answer waits up to 40 ms for a delayed acknowledgement. That answer decides how long a listener is missing.
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

/** The error when the server forbids a channel; undefined when it does not. Rejects when the session is lost. */
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

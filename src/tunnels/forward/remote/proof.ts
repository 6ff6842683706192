import { abortable, withDeadline } from '../../../base/async/deadline.ts';
import type { Signal } from '../../../base/async/signal.ts';
import { sleep } from '../../../base/async/sleep.ts';
import { THEN_RELOAD, TunnelError } from '../../../base/errors.ts';
import { type Address, formatAddress, type TcpAddress } from '../../../base/net/address.ts';
import { isLoopbackHost } from '../../../base/net/host.ts';
import type { Channel, Originator } from '../../channel/channel-source.ts';
import type { FarSession } from '../../channel/far-side.ts';
import { LOOPBACK, reachableAt, widthOf, widthWitness } from './address.ts';
import type { OwnConnections } from './own-connections.ts';
import type { Look } from './refusal.ts';
import { absent, tooNarrow } from './refusal.ts';

/** No client opens these channels: this daemon does. */
const ORIGINATOR: Originator = { address: '127.0.0.1', port: 0 };

/**
 * Our own connection through a listener must come back within this time, in milliseconds. Two round trips are usual.
 */
const RETURN_MS = 2_000;
const LOOK_MS = 2_000;

/** The first pause before a failed proof is repeated, in milliseconds; later pauses are longer. */
const PROVE_AGAIN_MS = 1_000;
const PROVE_AGAIN_CAP_MS = 30_000;

/** The result of the proof of a granted listener. */
export type Proof =
  | { readonly kind: 'proven' }
  /** `final`: another try on this session would end the same way. */
  | { readonly kind: 'unproven'; readonly error: TunnelError; readonly final: boolean }
  /** The listener is not as requested. */
  | { readonly kind: 'wrong'; readonly error: TunnelError }
  /** Nobody listens at the granted address: another program had the address when the server granted it. */
  | { readonly kind: 'absent'; readonly error: TunnelError };

/** Both ends of our own connection through a far-side listener. */
export interface Loop {
  /** The client's end: bytes written here arrive at `back`. */
  readonly near: Channel;
  /** The end of the listener's owner. */
  readonly back: Channel;
}

/**
 * Connects through the session to a listener on its far side, and waits for that connection to come back to us.
 * Rejects as `open` does, and with `remote_listen_in_use` when the connection went to another program.
 */
export function openLoop(session: FarSession, address: Address, own: OwnConnections, parent: Signal): Promise<Loop> {
  const where = formatAddress(address);
  const expired = () =>
    new TunnelError('remote_listen_in_use', `a connection to ${where} on the host did not come back to this node`, {
      hint: 'Either another program has that address (run `ss -ltnp` on the host), or the link stalls.',
    });
  return withDeadline(RETURN_MS, parent, expired, async (signal) => {
    const expected = own.expect();
    let near: Channel | undefined;
    try {
      near = await session.open(address, ORIGINATOR, signal);
      near.stream.on('error', () => {});
      near.stream.write(expected.nonce);
      return { near, back: await abortable(expected.arrived, signal) };
    } catch (error) {
      near?.close();
      throw error;
    } finally {
      expected.forget();
    }
  });
}

/** Proves that connections to the listener reach this daemon, and that it listens on the requested addresses, no fewer and no more. */
export async function prove(
  session: FarSession,
  listen: Address,
  host: string,
  own: OwnConnections,
  signal: AbortSignal,
): Promise<Proof> {
  const at = reachableAt(listen);
  const place = { listen, host, session };
  const identity = await comesBack(session, at, own, signal);
  if (identity !== true) {
    if (identity.code === 'forward_denied') return forbidden(place, at, identity);
    if (identity.code === 'target_refused') return notThere(place, at);
    return { kind: 'unproven', error: identity, final: false };
  }
  if (listen.kind === 'unix') return { kind: 'proven' };
  const look = (other: string) => comesBack(session, { ...listen, host: other }, own, signal);
  return proveWidth({ ...place, listen }, look);
}

/** A granted listener, and the session that it is on. */
interface Granted<Listen extends Address = Address> {
  readonly listen: Listen;
  /** Name of the far side, for messages. */
  readonly host: string;
  readonly session: FarSession;
}

/** Proves the width of a listener that is known to be ours. `look`: whether a connection to this host comes back. */
async function proveWidth(
  place: Granted<TcpAddress>,
  look: (other: string) => Promise<true | TunnelError>,
): Promise<Proof> {
  const { listen } = place;
  const width = widthOf(listen.host);
  if (width === 'all_v6') {
    // sshd confines a listener to both loopback addresses, and binds `::` itself for IPv6 alone.
    const confined = await look(LOOPBACK);
    if (confined !== true) return whenUnseen(place, LOOPBACK, confined);
  }
  const witness = widthWitness(listen.host);
  const wide = await look(witness);
  if (width === 'one') return wide === true ? tooWide(place) : { kind: 'proven' };
  if (wide === true) return { kind: 'proven' };
  if (wide.code === 'target_refused') return narrow(place);
  return whenUnseen(place, witness, wide);
}

/** The proof when the look at another address of the host shows no listener there. */
function whenUnseen(place: Granted<TcpAddress>, other: string, error: TunnelError): Proof {
  if (error.code === 'forward_denied') return forbidden(place, { ...place.listen, host: other }, error);
  // Another program has the port at that address, or the link stalls.
  if (error.code === 'remote_listen_in_use') return { kind: 'unproven', error, final: false };
  // Nothing contradicts: the host has no IPv4, or not that address.
  return { kind: 'proven' };
}

/**
 * The proof when nobody listens at the address. Each server gives at least loopback: without loopback, another program
 * was faster. dropbear, and sshd for a name, then listen on the other loopback address alone.
 */
function notThere(place: Granted, at: Address): Proof {
  if (at.kind === 'tcp' && !isLoopbackHost(at.host)) return narrow(place);
  return { kind: 'absent', error: absent(place.listen, place.host) };
}

function narrow({ listen, host, session }: Granted): Proof {
  return { kind: 'wrong', error: tooNarrow(listen, host, session.fix?.('too_narrow')) };
}

function forbidden({ listen, host, session }: Granted, at: Address, cause: TunnelError): Proof {
  const rules =
    at.kind === 'unix'
      ? 'Allow it: AllowStreamLocalForwarding yes.'
      : `Allow it: AllowTcpForwarding yes, and PermitOpen (or permitopen= of the key) with ${formatAddress(at)}.`;
  const error = new TunnelError(
    'forward_denied',
    `${host} listens on ${formatAddress(listen)}, but the server forbids the connection that proves the listener`,
    { cause, hint: session.fix?.('unprovable') ?? `${rules} ${THEN_RELOAD}` },
  );
  return { kind: 'unproven', error, final: true };
}

function tooWide({ listen, host, session }: Granted<TcpAddress>): Proof {
  const error = new TunnelError(
    'remote_listen_denied',
    `the server listens on every address instead of ${formatAddress(listen)} on ${host}`,
    {
      hint:
        session.fix?.('too_wide') ??
        `GatewayPorts is yes in sshd_config on the host: set it to clientspecified, or listen on 0.0.0.0 here. ${THEN_RELOAD}`,
    },
  );
  return { kind: 'unproven', error, final: true };
}

/** Repeats the attempt, after ever longer pauses, until the proof is final or its listener is no longer current. */
export async function proveUntilKnown(
  attempt: () => Promise<Proof>,
  isCurrent: () => boolean,
  signal: AbortSignal,
  onProof: (proof: Proof) => void,
): Promise<void> {
  for (let pauseMs = PROVE_AGAIN_MS; ; pauseMs = Math.min(2 * pauseMs, PROVE_AGAIN_CAP_MS)) {
    const proof = await attempt();
    if (!isCurrent()) return;
    onProof(proof);
    if (proof.kind !== 'unproven' || proof.final) return;
    await sleep(pauseMs, signal).catch(() => {});
    if (!isCurrent()) return;
  }
}

async function comesBack(
  session: FarSession,
  address: Address,
  own: OwnConnections,
  signal: AbortSignal,
): Promise<true | TunnelError> {
  try {
    const { near, back } = await openLoop(session, address, own, signal);
    near.close();
    back.close();
    return true;
  } catch (error) {
    return TunnelError.from(error);
  }
}

/** Tests after a refusal whether a program answers at the address. */
export async function look(session: FarSession, listen: Address, parent: AbortSignal): Promise<Look> {
  const expired = () => new TunnelError('target_unreachable', 'no answer');
  try {
    const channel = await withDeadline(LOOK_MS, parent, expired, (signal) =>
      session.open(reachableAt(listen), ORIGINATOR, signal),
    );
    channel.close();
    return 'answers';
  } catch (error) {
    const { code } = TunnelError.from(error);
    if (code === 'target_refused') return 'refused';
    return code === 'forward_denied' ? 'forbidden' : 'unknown';
  }
}

import { abortable } from '../../base/async/deadline.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { ActorConfig, HostConfig } from '../../config/config.ts';
import type { CredentialFacts } from '../credential/offer.ts';
import { SETTLED_MS } from './backoff.ts';
import type { FailedAddresses } from './failed-addresses.ts';
import type { JumpLink } from './jump.ts';
import type { LinkDependencies } from './options.ts';
import { proveAgainst, proveFurther } from './prove.ts';
import type { Rejection } from './rejection.ts';
import type { Roster } from './roster.ts';
import { findRoute } from './route.ts';
import type { Held, LinkSession } from './session.ts';

/** The inputs of one attempt, with the settings at its start. */
export interface AttemptOptions {
  readonly host: HostConfig;
  readonly actor: ActorConfig;
  readonly jump: JumpLink | undefined;
  readonly roster: Roster;
  readonly rejection: Rejection;
  readonly addresses: FailedAddresses;
}

export type Outcome =
  | { readonly kind: 'made'; readonly held: Held }
  /** The server rejected every available credential less than a minute ago. */
  | { readonly kind: 'held-back'; readonly waitMs: number; readonly error: TunnelError };

/**
 * Makes one attempt at a session, from its credential to its place in the roster. A session that joins or replaces a
 * serving one is proven first. The new session ends if the proof fails. Rejects with a TunnelError, or the signal's reason.
 *
 * @param onOffer receives the credential before the attempt offers it
 */
export async function attemptSession(
  { host, actor, jump, roster, rejection, addresses }: AttemptOptions,
  deps: Pick<LinkDependencies, 'prepare' | 'targets'>,
  onOffer: (facts: CredentialFacts) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const { generation } = roster;
  const need = {
    refused: rejection.refused(host, performance.now()),
    serving: roster.choose() !== undefined,
    attemptMs: host.connectTimeoutMs,
  };
  const { facts, connect } = await abortable(deps.prepare(host, actor, need), signal);
  onOffer(facts);
  const held = rejection.holds(host, facts, performance.now());
  if (held) {
    // The serving session was lost meanwhile: without one, a fallback may be offered.
    const outdated = need.serving && roster.choose() === undefined;
    return { kind: 'held-back', error: held.error, waitMs: outdated ? 0 : held.waitMs };
  }
  const route = await findRoute(host, jump, roster.all, addresses, signal);
  const session = await connect(signal, route);
  try {
    await prove(roster, session, facts, deps.targets(), signal);
  } catch (error) {
    await session.end();
    throw error;
  }
  rejection.forget(host, facts);
  addresses.succeeded(session.address);
  return { kind: 'made', held: roster.add(session, facts, generation, route) };
}

/** The sessions of a link that has just started need no proof against each other. */
async function prove(
  roster: Roster,
  session: LinkSession,
  { version }: CredentialFacts,
  targets: readonly Address[],
  signal: AbortSignal,
): Promise<void> {
  const predecessor = roster.predecessor(version);
  if (predecessor) return proveAgainst(predecessor.session, session, targets, signal);
  const isSettled = ({ suspect, since }: LinkSession) => !suspect && Date.now() - since.getTime() >= SETTLED_MS;
  const settled = roster.current.find((held) => isSettled(held.session));
  if (settled) await proveFurther(settled.session, session, targets, signal);
}

import { abortable } from '../../base/async/deadline.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { ActorConfig, HostConfig } from '../../config/config.ts';
import type { CredentialFacts } from '../credential/offer.ts';
import type { FailedAddresses } from './failed-addresses.ts';
import type { JumpLink } from './jump.ts';
import type { LinkDependencies } from './options.ts';
import { proveAgainst } from './prove.ts';
import type { Rejection } from './rejection.ts';
import type { Roster } from './roster.ts';
import { findRoute } from './route.ts';
import type { Held } from './session.ts';

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
 * Makes one attempt at a session, from its credential to its place in the roster. A session that replaces a serving one
 * is proven first. The new session ends if the proof fails. Rejects with a TunnelError, or the signal's reason.
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
  const predecessor = roster.predecessor(facts.version);
  if (predecessor) {
    try {
      await proveAgainst(predecessor.session, session, deps.targets(), signal);
    } catch (error) {
      await session.end();
      throw error;
    }
  }
  rejection.forget(host, facts);
  addresses.succeeded(session.address);
  return { kind: 'made', held: roster.add(session, facts, generation, route) };
}

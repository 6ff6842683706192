import { abortable } from '../../base/async/deadline.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { ActorConfig, HostConfig } from '../../config/config.ts';
import type { CredentialFacts } from '../credential/offer.ts';
import type { JumpLink } from './jump.ts';
import type { LinkDependencies } from './options.ts';
import { proveAgainst } from './prove.ts';
import type { Rejection } from './rejection.ts';
import type { Roster } from './roster.ts';
import { findRoute } from './route.ts';
import type { Held } from './session.ts';

/** What one attempt works with; the settings are those of its beginning. */
export interface AttemptOptions {
  readonly host: HostConfig;
  readonly actor: ActorConfig;
  readonly jump: JumpLink | undefined;
  readonly roster: Roster;
  readonly rejection: Rejection;
}

export type Outcome =
  | { readonly kind: 'made'; readonly held: Held }
  /** There is nothing to offer that the server has not rejected a moment ago. */
  | { readonly kind: 'held-back'; readonly waitMs: number; readonly error: TunnelError };

/**
 * One attempt at a session, from its credential to its place in the roster. One that is to replace a session which serves
 * is proven first, and ended if it cannot do the same. Rejects with a TunnelError, or the signal's reason.
 *
 * @param onOffer is told what is going to be offered
 */
export async function attemptSession(
  { host, actor, jump, roster, rejection }: AttemptOptions,
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
    // What served has been lost meanwhile: there may be something less than what was asked for.
    const outdated = need.serving && roster.choose() === undefined;
    return { kind: 'held-back', error: held.error, waitMs: outdated ? 0 : held.waitMs };
  }
  const route = await findRoute(host, jump, roster.all, signal);
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
  return { kind: 'made', held: roster.add(session, facts, generation, route) };
}

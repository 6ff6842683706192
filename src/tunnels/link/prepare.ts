import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig, HostConfig } from '../../config/config.ts';
import { authMethods } from '../credential/credential.ts';
import { inTime } from '../credential/key-offer.ts';
import type { CredentialFacts, CredentialSource, Need } from '../credential/offer.ts';
import { hostTrust } from '../ssh/host-key/host-key-policy.ts';
import { loadKnownHosts } from '../ssh/host-key/known-hosts.ts';
import { openSession } from '../ssh/open-session.ts';
import { sessionHostKey } from './host-key.ts';
import { reach } from './reach.ts';
import type { ConnectStep, LinkSession, Route } from './session.ts';

/** One attempt, after everything local was read and checked and before anything touched the network. */
export interface Attempt {
  /** Of the credential that the attempt offers. */
  readonly facts: CredentialFacts;
  /** Rejects with a TunnelError. `onStep` is told of each step as it begins, in their order. */
  connect(signal: AbortSignal, route: Route, onStep?: (step: ConnectStep) => void): Promise<LinkSession>;
}

/** Prepares one attempt. Reads every file anew, so that the next attempt sees a corrected file. Bounded; rejects with a TunnelError. */
export type Prepare = (host: HostConfig, actor: ActorConfig, need: Need) => Promise<Attempt>;

/**
 * An attempt over a real network. Everything local is read first, so that a missing key or an unknown host costs the
 * server nothing and counts against us nowhere.
 *
 * @param credentials of the actor
 * @param onKnownHosts is told of the lines of the known_hosts file that cannot be used, also when there are none
 */
export async function prepare(
  host: HostConfig,
  credentials: CredentialSource,
  need: Need,
  onKnownHosts: (path: string, problems: readonly string[]) => void = () => {},
): Promise<Attempt> {
  const { user: username } = host;
  if (username === undefined) throw new TunnelError('internal', `host ${host.name} has no user`);
  const reading = loadKnownHosts(host.knownHosts, host.address, host.port);
  const known = await inTime(host.knownHosts, reading, host.connectTimeoutMs);
  onKnownHosts(host.knownHosts, known.problems);
  const trust = hostTrust(known.entries, host.address, host.port);
  const { credential, facts, label, ifRejected } = await credentials.current(need);
  return {
    facts,
    connect: async (signal, route, onAnyStep = () => {}) => {
      const { address, port, connectTimeoutMs, keepalive } = host;
      const peer = `${address} port ${port}${route.kind === 'jump' ? ` via ${route.host}` : ''}`;
      const onStep = once(onAnyStep);
      const hostKey = await sessionHostKey(trust, host, peer, route, signal, onStep);
      const transport = await reach(host, route, signal, onStep);
      onStep({ name: 'banner' });
      return openSession(
        transport,
        {
          peer,
          username,
          offered: label,
          ifRejected,
          authMethods: authMethods(credential, username),
          hostKey,
          stepTimeoutMs: connectTimeoutMs,
          keepalive,
          onStep: (name) => onStep({ name }),
        },
        signal,
      );
    },
  };
}

/** A step that was taken on the way to the host key is not told again. */
function once(onStep: (step: ConnectStep) => void): (step: ConnectStep) => void {
  const told = new Set<ConnectStep['name']>();
  return (step) => {
    if (told.has(step.name)) return;
    told.add(step.name);
    onStep(step);
  };
}

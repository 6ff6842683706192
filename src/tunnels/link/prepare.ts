import { Socket } from 'node:net';
import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig, HostConfig } from '../../config/config.ts';
import { authMethods } from '../credential/credential.ts';
import { inTime } from '../credential/key-offer.ts';
import type { CredentialFacts, CredentialSource, Need } from '../credential/offer.ts';
import { hostTrust } from '../ssh/host-key/host-key-policy.ts';
import { KnownHostsFiles } from '../ssh/host-key/known-hosts-files.ts';
import { openSession } from '../ssh/open-session.ts';
import { sessionHostKey } from './host-key.ts';
import { reach } from './reach.ts';
import type { ConnectStep, LinkSession, Route } from './session.ts';

/** One attempt: everything local is read and checked, nothing is sent yet. */
export interface Attempt {
  /** Of the credential that the attempt offers. */
  readonly facts: CredentialFacts;
  /** Rejects with a TunnelError. `onStep` is called when each step begins, in order. */
  connect(signal: AbortSignal, route: Route, onStep?: (step: ConnectStep) => void): Promise<LinkSession>;
}

/** Shared by all links: a file is parsed once for all of them. */
export const knownHostsFiles = new KnownHostsFiles();

/** Prepares one attempt. Reads every file again, so that a fixed file takes effect. Bounded; rejects with a TunnelError. */
export type Prepare = (host: HostConfig, actor: ActorConfig, need: Need) => Promise<Attempt>;

/**
 * Prepares an attempt over the network. Everything local is read first: a missing key or an unknown host then causes no
 * connection, and no penalty from the server.
 *
 * @param credentials of the actor
 * @param onKnownHosts receives the invalid lines of the known_hosts file, even when there are none
 */
export async function prepare(
  host: HostConfig,
  credentials: CredentialSource,
  need: Need,
  onKnownHosts: (path: string, problems: readonly string[]) => void = () => {},
): Promise<Attempt> {
  const { user: username } = host;
  if (username === undefined) throw new TunnelError('internal', `host ${host.name} has no user`);
  const reading = knownHostsFiles.find(host.knownHosts, host.address, host.port);
  const { lines, problems } = await inTime(host.knownHosts, reading, host.connectTimeoutMs);
  onKnownHosts(host.knownHosts, problems);
  const trust = hostTrust(lines);
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
      const remote = transport instanceof Socket ? transport.remoteAddress : undefined;
      const opening = openSession(
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
      return opening.catch((error: unknown) => {
        if (route.kind === 'direct' && remote !== undefined && !signal.aborted) route.onFailed?.(remote);
        throw error;
      });
    },
  };
}

/** Reports each step once: the fetch of a host key may take the same steps before. */
function once(onStep: (step: ConnectStep) => void): (step: ConnectStep) => void {
  const told = new Set<ConnectStep['name']>();
  return (step) => {
    if (told.has(step.name)) return;
    told.add(step.name);
    onStep(step);
  };
}

import type { Socket } from 'node:net';
import { TunnelError } from '../../../src/base/errors.ts';
import type { Address } from '../../../src/base/net/address.ts';
import type { ActorConfig, HostConfig } from '../../../src/config/config.ts';
import type { Channel, ChannelSource, Originator } from '../../../src/tunnels/channel/channel-source.ts';
import { authMethods, loadCredential } from '../../../src/tunnels/credential/credential.ts';
import { offerKey } from '../../../src/tunnels/credential/key-offer.ts';
import type { CredentialSource, Need } from '../../../src/tunnels/credential/offer.ts';
import { type Prepare, prepare } from '../../../src/tunnels/link/prepare.ts';
import type { LinkSession } from '../../../src/tunnels/link/session.ts';
import { dial } from '../../../src/tunnels/ssh/dial.ts';
import type { HostKeyPolicy } from '../../../src/tunnels/ssh/host-key/host-key-policy.ts';
import { openSession } from '../../../src/tunnels/ssh/open-session.ts';
import type { Session } from '../../../src/tunnels/ssh/session.ts';
import { actorConfig, hostConfig } from '../fakes/fake-link.ts';
import type { EmbeddedSshd } from '../peers/embedded-sshd.ts';

export const originator: Originator = { address: '127.0.0.1', port: 40_000 };
export const never = new AbortController().signal;

export const loopback = (port: number): Address => ({ kind: 'tcp', host: '127.0.0.1', port });

/** What a client needs to know of a server. */
type Reachable = Pick<EmbeddedSshd, 'port' | 'user' | 'knownHostsFile' | 'clientKeyFile'>;

/** The configuration that leads to the server. */
export function hostOf(sshd: Reachable, differently: Partial<HostConfig> = {}): HostConfig {
  const { port, user, knownHostsFile: knownHosts } = sshd;
  return { ...hostConfig, address: '127.0.0.1', port, user, knownHosts, connectTimeoutMs: 20_000, ...differently };
}

export function actorOf(sshd: Pick<Reachable, 'clientKeyFile'>): ActorConfig {
  return { ...actorConfig, key: { kind: 'file', path: sshd.clientKeyFile, passphraseFile: undefined } };
}

/** The needs of a first login. The limit ends a hang: a busy machine reads files slowly. */
export const NEED: Need = { refused: [], serving: false, attemptMs: 60_000 };

/** Only the actor's key, unchanged. */
export function keyOf({ key }: ActorConfig): CredentialSource {
  return { current: () => offerKey({ key }, 1, undefined, process.env) };
}

/** What the daemon does for a link whose actor has a key and nothing else. */
export const prepareByKey: Prepare = (host, actor, need) => prepare(host, keyOf(actor), need);

/** Opens a session in the same way as the daemon. */
export async function connectSession(
  sshd: Reachable,
  differently: Partial<HostConfig> = {},
  signal: AbortSignal = never,
): Promise<LinkSession> {
  const attempt = await prepare(hostOf(sshd, differently), keyOf(actorOf(sshd)), NEED);
  return attempt.connect(signal, { kind: 'direct', avoid: [] });
}

/** Opens a session with this check of the host key; over `socket`, if given. */
export async function openVerified(
  sshd: Reachable,
  verify: HostKeyPolicy['verify'],
  socket?: Socket,
): Promise<Session> {
  const credential = await loadCredential(actorOf(sshd), process.env, never);
  const { keepalive } = hostOf(sshd);
  return openSession(
    socket ?? (await dial({ host: '127.0.0.1', port: sshd.port, timeoutMs: 20_000 }, never)),
    {
      peer: 'test',
      username: sshd.user,
      offered: 'a key',
      authMethods: authMethods(credential, sshd.user),
      hostKey: { algorithms: ['ssh-ed25519'], verify },
      stepTimeoutMs: 20_000,
      keepalive,
    },
    never,
  );
}

/** A link for a forward, over sessions that the test adds and removes. */
export class SessionSource implements ChannelSource, AsyncDisposable {
  #sessions: LinkSession[] = [];
  readonly #waiting = new Set<() => void>();
  /** The number of callers that wait for a session. */
  waits = 0;

  get ready(): boolean {
    return this.#sessions.some(({ usable }) => usable);
  }

  get channels(): number {
    return this.#sessions.reduce((sum, { channels }) => sum + channels, 0);
  }

  add(session: LinkSession): void {
    this.#sessions.push(session);
    void session.closed.then(() => {
      this.#sessions = this.#sessions.filter((other) => other !== session);
    });
    for (const wake of this.#waiting) wake();
  }

  async whenReady(signal: AbortSignal): Promise<void> {
    if (this.ready) return;
    this.waits++;
    let wake = () => {};
    await new Promise<void>((resolve, reject) => {
      wake = resolve;
      this.#waiting.add(resolve);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    }).finally(() => {
      this.waits--;
      this.#waiting.delete(wake);
    });
  }

  async open(target: Address, from: Originator, signal: AbortSignal): Promise<Channel> {
    const session = this.#sessions.find(({ usable }) => usable);
    if (!session) throw new TunnelError('connection_reset', 'there is no session');
    return session.open(target, from, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.end()));
  }
}

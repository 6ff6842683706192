import { PassThrough } from 'node:stream';
import { type ErrorCode, TunnelError } from '../../../src/base/errors.ts';
import type { Address } from '../../../src/base/net/address.ts';
import type { ActorConfig, HostConfig } from '../../../src/config/config.ts';
import type { LogFields, Logger } from '../../../src/telemetry/log/log.ts';
import type { CredentialStatus } from '../../../src/telemetry/status/status.ts';
import type { Channel, Originator } from '../../../src/tunnels/channel/channel-source.ts';
import type { FarListener } from '../../../src/tunnels/channel/far-side.ts';
import type { CredentialFacts, Need } from '../../../src/tunnels/credential/offer.ts';
import type { JumpLink } from '../../../src/tunnels/link/jump.ts';
import { Link } from '../../../src/tunnels/link/link.ts';
import { Pacer } from '../../../src/tunnels/link/pacer.ts';
import type { Attempt } from '../../../src/tunnels/link/prepare.ts';
import type { LinkSession } from '../../../src/tunnels/link/session.ts';
import type { SessionEnd } from '../../../src/tunnels/ssh/session.ts';
import { linkFixture } from './status-fixture.ts';

export const hostConfig: HostConfig = {
  name: 'coulombcore',
  address: '192.0.2.1',
  port: 22,
  user: 'tegwick',
  role: 'draining',
  knownHosts: '/nowhere/known_hosts',
  sessions: 2,
  keepalive: { everyMs: 5_000, lostAfter: 3 },
  connectTimeoutMs: 10_000,
  jump: undefined,
};

/** The defaults of an actor. */
export const actorPolicy: Omit<ActorConfig, 'name' | 'key'> = {
  certCommand: undefined,
  caFingerprints: undefined,
  principals: undefined,
  renewAfter: 0.5,
  drainTimeoutMs: undefined,
  onExpiry: 'keep',
  fallback: undefined,
};

export const actorConfig: ActorConfig = { name: 'atm-fleet-mesh', key: { kind: 'agent' }, ...actorPolicy };

/** The facts of a static key, with changes. */
export function credentialFacts(id: string, differently: Partial<CredentialFacts> = {}): CredentialFacts {
  const nothing = { version: 1, validBefore: undefined, standIn: undefined };
  return { type: 'static_key', fingerprint: id, id, ...nothing, ...differently };
}

/** An SSH session that the test controls. */
export class FakeSession implements LinkSession {
  readonly facts = { server: 'SSH-2.0-fake', hostKey: 'SHA256:fake', kex: 'fake', cipher: 'fake' };
  readonly since = new Date();
  readonly rttMs = 1;
  readonly closed: Promise<SessionEnd>;
  usable = true;
  suspect = false;
  draining = false;
  channels = 0;
  readonly patienceMs = 250;
  unanswered = 0;
  frozenBy: string | undefined;
  opens = 0;
  /** Whether the peer answers the close of a channel. */
  closesChannels = true;
  /** If set, opens are refused with this code. */
  refusal: ErrorCode | undefined;
  checks = 0;
  /** Opens after the session was gone. */
  opensAfterClose = 0;
  #settle: ((end: SessionEnd) => void) | undefined;

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  async open(
    _target: Address,
    _originator: Originator,
    _signal: AbortSignal,
    onPassed?: (quick: boolean) => void,
  ): Promise<Channel> {
    this.opens++;
    onPassed?.(true);
    if (!this.usable) this.opensAfterClose++;
    if (this.refusal) throw new TunnelError(this.refusal, this.refusal);
    const stream = new PassThrough();
    return { stream, onLost() {}, close: () => this.closesChannels && stream.destroy() } as unknown as Channel;
  }

  listener(): FarListener {
    return { bind: async () => {}, cancel: async () => true, release() {} };
  }

  check(): void {
    this.checks++;
  }

  drain(): void {
    this.draining = true;
    this.#endIfIdle();
  }

  end(): Promise<SessionEnd> {
    this.#over(undefined, 0);
    return this.closed;
  }

  /** Loses the session; the loss is noticed after `silentMs`. */
  lose(code: ErrorCode = 'keepalive_lost', silentMs = 0): void {
    this.#over(new TunnelError(code, code), silentMs);
  }

  closeChannels(): void {
    this.channels = 0;
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.draining && this.channels === 0) this.#over(undefined, 0);
  }

  #over(error: TunnelError | undefined, silentMs: number): void {
    this.usable = false;
    this.#settle?.({ error, silentMs });
  }
}

/** An attempt that has reached the network and waits for the test. */
export interface Connecting {
  readonly host: HostConfig;
  readonly at: number;
  succeed(): FakeSession;
  fail(code: ErrorCode): void;
}

/** A link over fake sessions. Attempts wait for the test unless `outcome` decides them. */
export class FakeNetwork {
  readonly attempts: Connecting[] = [];
  readonly sessions: FakeSession[] = [];
  readonly events: string[] = [];
  readonly recoverSeconds: number[] = [];
  readonly rotationSeconds: number[] = [];
  readonly needs: Need[] = [];
  readonly link: Link;
  credential: CredentialFacts = credentialFacts('SHA256:one');
  /** Of the certificate of the next login. */
  renewal: CredentialStatus['renewal'] = null;
  outcome: 'wait' | 'ok' | ErrorCode = 'wait';
  random = 0.5;
  prepared = 0;
  connecting = 0;
  mostConnecting = 0;
  changes = 0;
  /** What credential sources do when asked. */
  onPrepare: ((need: Need) => void | Promise<void>) | undefined;
  /** If set, reading local files fails silently. */
  stuck = false;

  constructor(host: Partial<HostConfig> = {}, jump?: JumpLink) {
    this.link = new Link(
      { host: { ...hostConfig, ...host }, actor: actorConfig, jump },
      {
        prepare: (config, _, need) => this.#prepare(config, need),
        targets: () => [{ kind: 'tcp', host: '10.43.170.94', port: 8000 }],
        credential: () => ({ ...linkFixture().credential, renewal: this.renewal }),
        pacer: new Pacer(250),
        metrics: {
          linkConnectAttempts: { inc() {} },
          linkDetectSeconds: { observe() {} },
          rotationSeconds: { observe: (_: unknown, seconds: number) => this.rotationSeconds.push(seconds) },
          linkRecoverSeconds: { observe: (_: unknown, seconds: number) => this.recoverSeconds.push(seconds) },
        } as never,
        log: recordingLogger(this.events),
        note: () => {},
        random: () => this.random,
        onChange: () => this.changes++,
      },
    );
  }

  get last(): Connecting {
    const last = this.attempts.at(-1);
    if (!last) throw new Error('there was no attempt');
    return last;
  }

  /** Live sessions that the link still needs. */
  get kept(): FakeSession[] {
    return this.sessions.filter(({ usable, draining }) => usable && !draining);
  }

  async #prepare(host: HostConfig, need: Need): Promise<Attempt> {
    this.prepared++;
    this.needs.push(need);
    await this.onPrepare?.(need);
    if (this.stuck) await new Promise(() => {});
    return { facts: this.credential, connect: (signal) => this.#connect(host, signal) };
  }

  #connect(host: HostConfig, signal: AbortSignal): Promise<LinkSession> {
    this.connecting++;
    this.mostConnecting = Math.max(this.mostConnecting, this.connecting);
    let onAbort = () => {};
    return new Promise<LinkSession>((resolve, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const succeed = () => {
        const session = new FakeSession();
        this.sessions.push(session);
        resolve(session);
        return session;
      };
      const fail = (code: ErrorCode) => reject(new TunnelError(code, code));
      this.attempts.push({ host, at: performance.now(), succeed, fail });
      if (this.outcome === 'ok') succeed();
      else if (this.outcome !== 'wait') fail(this.outcome);
    }).finally(() => {
      this.connecting--;
      signal.removeEventListener('abort', onAbort);
    });
  }
}

export function recordingLogger(events: string[]): Logger {
  const write = ({ event }: LogFields) => events.push(event);
  const logger: Logger = {
    trace: write,
    debug: () => {},
    info: write,
    warn: write,
    error: write,
    fatal: write,
    child: () => logger,
  };
  return logger;
}

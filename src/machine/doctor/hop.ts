import { abortable } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig, HostConfig } from '../../config/config.ts';
import { type Carrier, carryError } from '../../tunnels/link/jump.ts';
import type { Attempt, Prepare } from '../../tunnels/link/prepare.ts';
import type { ConnectStep, LinkSession, Route } from '../../tunnels/link/session.ts';
import { type Finding, failed, type StepName } from './finding.ts';
import { firstLook, named } from './first-look.ts';

/** The findings about one link, and its session if no step failed. */
export interface Hop {
  readonly findings: readonly Finding[];
  readonly session: LinkSession | undefined;
}

export interface HopOptions {
  readonly host: HostConfig;
  readonly actor: ActorConfig;
  /** The hop to the jump host; undefined: the host is dialled directly. */
  readonly over: { readonly hop: Hop; readonly host: string } | undefined;
}

/**
 * Connects once, as the link does, step by step; connect_timeout of the host bounds each step. An unusable key or
 * known_hosts file causes no failed login on the server: then only the network and the banner are looked at. Never rejects.
 */
export async function walkHop({ host, actor, over }: HopOptions, prepare: Prepare, signal: AbortSignal): Promise<Hop> {
  let attempt: Attempt;
  try {
    const need = { refused: [], serving: false, attemptMs: host.connectTimeoutMs };
    attempt = await abortable(prepare(host, actor, need), signal);
  } catch (thrown) {
    const error = TunnelError.from(thrown);
    return { findings: await withoutLogin(host, over, error, signal), session: undefined };
  }
  const { type, fingerprint, standIn } = attempt.facts;
  const local: Finding[] = [
    { step: 'known hosts', verdict: 'ok', detail: `${host.knownHosts} has keys of ${host.address}` },
    // The check goes on with the fallback key, as the daemon does.
    standIn
      ? failed('credential', standIn)
      : {
          step: 'credential',
          verdict: 'ok',
          detail: [type.replaceAll('_', ' '), fingerprint, futureOf(actor)].filter(Boolean).join(' '),
        },
  ];
  if (over && !over.hop.session) {
    const detail = `jump host ${over.host} is unreachable`;
    return { findings: [...local, { step: 'jump', verdict: 'skipped', detail }], session: undefined };
  }
  const walk = new Walk(host);
  try {
    const route = await routeTo(host, over, signal, walk);
    const session = await attempt.connect(signal, route, (step) => walk.begin(step));
    walk.arrive(session);
    return { findings: inOrder([...local, ...walk.findings]), session };
  } catch (error) {
    walk.fail(error);
    return { findings: inOrder([...local, ...walk.findings]), session: undefined };
  }
}

/** The unit reads the key elsewhere than this check: a person must not look for the other file. */
function futureOf({ key }: ActorConfig): string | undefined {
  if (key.kind !== 'file' || key.futureCredential === undefined) return undefined;
  return `from ${key.path}, which the unit loads as credential:${key.futureCredential}`;
}

/** The network first: a misspelt name is no reason to look for a host key. */
async function withoutLogin(
  host: HostConfig,
  over: HopOptions['over'],
  error: TunnelError,
  signal: AbortSignal,
): Promise<Finding[]> {
  const isTrust = error.code === 'host_key_unknown';
  const local = failed(isTrust ? 'known hosts' : 'credential', error);
  if (over && !over.hop.session) return [local];
  const walk = new Walk(host);
  try {
    const route = await routeTo(host, over, signal, walk);
    await firstLook(host, route, signal, (step) => walk.begin(step));
    walk.finish();
    return [...walk.findings, local];
  } catch (thrown) {
    walk.fail(thrown);
    if (!isTrust) return [...walk.findings, local];
    const detail = `${host.knownHosts} has no key of this host; the address or the port may be wrong`;
    return [...walk.findings, { step: 'known hosts', verdict: 'skipped', detail }];
  }
}

const ORDER: readonly StepName[] = ['jump', 'dns', 'tcp', 'banner', 'known hosts', 'credential'];

/** In the order in which a person looks for a fault: the network, then this node, then the login. */
function inOrder(findings: readonly Finding[]): Finding[] {
  const rank = ({ step }: Finding) => (ORDER.includes(step) ? ORDER.indexOf(step) : ORDER.length);
  return findings.toSorted((a, b) => rank(a) - rank(b));
}

async function routeTo(host: HostConfig, over: HopOptions['over'], signal: AbortSignal, walk: Walk): Promise<Route> {
  if (over?.hop.session) walk.beginJump(over.host);
  return routeOver(host, over, signal);
}

/** The way to the host: a channel of the jump host's session, else a dial. */
export async function routeOver(host: HostConfig, over: HopOptions['over'], signal: AbortSignal): Promise<Route> {
  const session = over?.hop.session;
  if (!over || !session) return { kind: 'direct', avoid: [] };
  const target = { kind: 'tcp', host: host.address, port: host.port } as const;
  const another = async (bounded: AbortSignal): Promise<Carrier> => {
    const channel = await session.open(target, { address: '127.0.0.1', port: 0 }, bounded).catch((error: unknown) => {
      throw carryError(target, over.host, TunnelError.from(error));
    });
    return { channel, leaving: false, check: () => session.check() };
  };
  return { kind: 'jump', host: over.host, carrier: await another(signal), another };
}

/** Records the steps of a connect: a step succeeded when the next one begins. */
class Walk {
  readonly findings: Finding[] = [];
  readonly #host: HostConfig;
  #step: { readonly name: StepName; readonly detail: string; readonly since: number } | undefined;

  constructor(host: HostConfig) {
    this.#host = host;
  }

  beginJump(over: string): void {
    this.#next('jump', `through ${over}`);
  }

  begin(step: ConnectStep): void {
    const { address, port } = this.#host;
    switch (step.name) {
      case 'dns':
        this.#next('dns', address);
        return;
      case 'tcp':
        // The addresses of the name are known only now.
        this.#finish(`${address} resolves to ${step.addresses.join(', ')}`);
        this.#next('tcp', `port ${port} accepts connections`);
        return;
      case 'banner':
        this.#next('banner', 'the server speaks SSH');
        return;
      case 'kex':
        this.#next('host key', 'matches known_hosts');
        return;
      case 'auth':
        this.#next('authentication', `${this.#host.user} logs in`);
    }
  }

  arrive({ facts }: LinkSession): void {
    this.#finish();
    const details: Partial<Record<StepName, string>> = {
      banner: facts.server,
      'host key': `${facts.hostKey} matches known_hosts (${facts.kex}, ${facts.cipher})`,
    };
    for (const [index, finding] of this.findings.entries()) {
      this.findings[index] = { ...finding, detail: details[finding.step] ?? finding.detail };
    }
  }

  finish(): void {
    this.#finish();
  }

  fail(error: unknown): void {
    const step = this.#step?.name ?? 'tcp';
    this.findings.push(failed(step, named(TunnelError.from(error), this.#host, step)));
  }

  #next(name: StepName, detail: string): void {
    this.#finish();
    this.#step = { name, detail, since: performance.now() };
  }

  #finish(detail?: string): void {
    if (!this.#step) return;
    const { name, since } = this.#step;
    this.findings.push({
      step: name,
      verdict: 'ok',
      detail: detail ?? this.#step.detail,
      ms: Math.round(performance.now() - since),
    });
    this.#step = undefined;
  }
}

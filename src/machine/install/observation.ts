import type { Status } from '../../telemetry/status/status.ts';

/** One look at the daemon: its status, or why there is none. */
export type Look = { readonly status: Status } | { readonly unreachable: string };

export interface ObservationOptions {
  /** How long the release must serve before its promotion, in milliseconds. */
  readonly observeMs: number;
  /** The last status before the upgrade; undefined: no daemon ran. */
  readonly before: Status | undefined;
  /** Tunnels that must be up, whatever was before. */
  readonly required: readonly string[];
}

/** What follows from a look. */
export type Judgement =
  | { readonly kind: 'watching' }
  | { readonly kind: 'promoted' }
  | { readonly kind: 'rolled_back'; readonly reasons: readonly string[] };

/** The longest and the shortest time for which a fault may last: a flap of the network is not the fault of a release. */
const MOST_PATIENCE_MS = 30_000;
const LEAST_PATIENCE_MS = 5_000;
/** Below this number of failed connections, a share proves nothing. */
const LEAST_FAILURES = 5;
const LEAST_SHARE = 0.05;

/**
 * Decides about a new release from looks at its daemon. A fault that lasts ends the observation, and so does a daemon that
 * ended. `now` is in milliseconds of a monotonic clock.
 */
export class Observation {
  readonly #options: ObservationOptions;
  readonly #from: number;
  readonly #patienceMs: number;
  #first: Status | undefined;
  #faultySince: number | undefined;

  constructor(options: ObservationOptions, now: number) {
    this.#options = options;
    this.#from = now;
    this.#patienceMs = Math.min(MOST_PATIENCE_MS, Math.max(LEAST_PATIENCE_MS, options.observeMs / 10));
  }

  next(look: Look, now: number): Judgement {
    const status = 'status' in look ? look.status : undefined;
    this.#first ??= status;
    const ended = status && this.#first && restartOf(this.#first, status);
    if (ended !== undefined) return { kind: 'rolled_back', reasons: [ended] };
    const reasons =
      'unreachable' in look
        ? [`the daemon does not answer: ${look.unreachable}`]
        : faultsIn(look.status, this.#first ?? look.status, this.#options);
    this.#faultySince = reasons.length === 0 ? undefined : (this.#faultySince ?? now);
    if (this.#faultySince !== undefined) {
      return now - this.#faultySince >= this.#patienceMs ? { kind: 'rolled_back', reasons } : { kind: 'watching' };
    }
    return { kind: now - this.#from >= this.#options.observeMs ? 'promoted' : 'watching' };
  }
}

function restartOf({ started_at: first }: Status, { started_at: now }: Status): string | undefined {
  if (first.getTime() === now.getTime()) return undefined;
  return `the daemon ended, and started again at ${now.toISOString()}`;
}

/** The faults of tunnels, links and connections, one sentence each. Pure. */
function faultsIn(status: Status, first: Status, { before, required }: ObservationOptions): string[] {
  return [
    ...tunnelFaults(status, before ?? first, required),
    ...linkFaults(status, before ?? first),
    ...failureFaults(status, first, before),
  ];
}

/** Probes count here: a tunnel with a failing probe is not up. An operator may take a tunnel out of service meanwhile. */
function tunnelFaults({ tunnels }: Status, before: Status, required: readonly string[]): string[] {
  const served = before.tunnels.filter(({ state }) => state === 'up').map(({ name }) => name);
  return [...new Set([...served, ...required])].flatMap((name) => {
    const tunnel = tunnels.find((each) => each.name === name);
    if (tunnel === undefined) return [`tunnel ${name} is gone`];
    const { state, reason } = tunnel;
    if (!['down', 'degraded', 'unverified'].includes(state)) return [];
    return [`tunnel ${name} is ${state}${reason === null ? '' : `: ${reason}`}`];
  });
}

function linkFaults({ links }: Status, before: Status): string[] {
  return before.links
    .filter(({ state, replacement }) => state === 'up' && replacement?.state !== 'failing')
    .flatMap(({ host, actor }) => {
      const link = links.find((each) => each.host === host && each.actor === actor);
      if (link === undefined) return [];
      const name = `the link to ${host} as ${actor}`;
      if (link.state !== 'up') return [`${name} is ${link.state}`];
      return link.replacement?.state === 'failing' ? [`${name} cannot replace its lost sessions`] : [];
    });
}

/** More failed connections than before the upgrade, as a share. */
function failureFaults(status: Status, first: Status, before: Status | undefined): string[] {
  const [now, then] = [countsOf(status), countsOf(first)];
  const [opened, failed] = [now.opened - then.opened, now.failed - then.failed];
  const usual = before === undefined ? 0 : shareOf(countsOf(before));
  const share = shareOf({ opened, failed });
  if (failed < LEAST_FAILURES || share <= Math.max(LEAST_SHARE, 2 * usual)) return [];
  return [`${failed} of ${opened + failed} client connections failed since the upgrade`];
}

interface Counts {
  readonly opened: number;
  readonly failed: number;
}

function countsOf({ tunnels }: Status): Counts {
  const sum = (of: (usage: Status['tunnels'][number]['usage']) => number) =>
    tunnels.reduce((total, { usage }) => total + of(usage), 0);
  return { opened: sum((usage) => usage.opened_total), failed: sum((usage) => usage.failed_total) };
}

function shareOf({ opened, failed }: Counts): number {
  return opened + failed === 0 ? 0 : failed / (opened + failed);
}

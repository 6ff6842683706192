import { type Repeating, repeat } from '../../base/async/repeat.ts';
import { formatAddress } from '../../base/net/address.ts';
import type { Config, HostConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { LinkStatus } from '../../telemetry/status/status.ts';
import type { HostPulse } from '../evidence/events.ts';
import { routesOf } from '../evidence/routes.ts';
import { look } from './look.ts';
import { reachesProduction, type Sighting, withControl } from './sighting.ts';

/** Pause between looks, in milliseconds; SOON_MS at the start and while the state is unknown. */
const EVERY_MS = 30_000;
const SOON_MS = 3_000;
const JITTER = 0.1;

/** Most looks kept between two heartbeats: a failing disk must not cost unbounded memory. */
const MOST_CHECKS = 100;

export interface LookoutDependencies {
  /** The current links. */
  readonly links: () => readonly LinkStatus[];
  readonly note: TakeNote;
  readonly random: () => number;
  /** By default over the network. */
  readonly look?: typeof look;
}

type Followed = Pick<Config, 'node' | 'sha256' | 'hosts' | 'tunnels'>;

interface Watched {
  readonly host: HostConfig;
  readonly address: string;
  sighting: Sighting | undefined;
  checked: string[];
}

/**
 * Looks for the workstations, to prove their absence for `acceptance`: connects and reads the banner, without
 * login. Each change is an event; each heartbeat lists the looks.
 */
export class Lookout {
  readonly #everyMs: number;
  readonly #deps: LookoutDependencies;
  #watched = new Map<string, Watched>();
  #config: Followed | undefined;
  #running: Repeating | undefined;

  constructor(options: { readonly everyMs?: number | undefined }, deps: LookoutDependencies) {
    this.#everyMs = options.everyMs ?? EVERY_MS;
    this.#deps = deps;
  }

  /** Records the routes of this configuration and looks for its workstations, except the node itself. */
  follow(config: Followed): void {
    this.#config = config;
    this.#deps.note({ event: 'config.in_force', ...routesOf(config) });
    const { node, hosts } = config;
    const before = this.#watched;
    this.#watched = new Map();
    for (const host of hosts.values()) {
      if (host.role !== 'workstation' || host.name === node) continue;
      const address = formatAddress({ kind: 'tcp', host: host.address, port: host.port });
      const known = before.get(host.name);
      const same = known?.address === address && (known.host.jump === undefined) === (host.jump === undefined);
      this.#watched.set(host.name, same ? known : { host, address, sighting: undefined, checked: [] });
    }
  }

  start(config: Followed, signal: AbortSignal): void {
    this.follow(config);
    this.#running = repeat(
      (over) => this.#round(over),
      () => this.#pauseMs(),
      signal,
    );
  }

  /** Settles after the signal has aborted and the last look has ended. */
  get done(): Promise<void> {
    return this.#running?.done ?? Promise.resolve();
  }

  /** The looks since the last call, for a heartbeat. */
  takePulses(): Record<string, HostPulse> {
    const pulses: Record<string, HostPulse> = {};
    for (const [name, watched] of this.#watched) {
      const { sighting, address, checked } = watched;
      if (!sighting) continue;
      pulses[name] = { state: sighting.state, code: sighting.code, address, checked };
      watched.checked = [];
    }
    return pulses;
  }

  get #networkWorks(): boolean {
    return reachesProduction(this.#config?.tunnels ?? new Map(), this.#deps.links());
  }

  #pauseMs(): number {
    const settled = [...this.#watched.values()].every(({ sighting }) => sighting && sighting.state !== 'unknown');
    const pause = settled ? this.#everyMs : Math.min(SOON_MS, this.#everyMs);
    return pause * (1 - JITTER + 2 * JITTER * this.#deps.random());
  }

  async #round(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#watched.values()].map((watched) => this.#lookFor(watched, signal).catch(() => {})));
  }

  async #lookFor(watched: Watched, signal: AbortSignal): Promise<void> {
    const { host, address } = watched;
    const { look: lookAt = look } = this.#deps;
    const workedBefore = this.#networkWorks;
    const found = host.jump === undefined ? await lookAt(host, signal) : behind(host.jump.host);
    const sighting = withControl(found, workedBefore && this.#networkWorks);
    // A reload may have changed the address meanwhile.
    if (this.#watched.get(host.name) !== watched) return;
    const before = watched.sighting;
    const now = new Date();
    watched.sighting = sighting;
    watched.checked.push(now.toISOString());
    if (watched.checked.length > MOST_CHECKS) watched.checked.shift();
    if (before?.state === sighting.state && before.code === sighting.code) return;
    const { state, code, reason } = sighting;
    this.#deps.note(
      { event: `host.${state}`, host: host.name, address, from: before?.state ?? null, code, reason },
      now,
    );
  }
}

function behind(jump: string): Sighting {
  return {
    state: 'unknown',
    code: 'behind_jump',
    reason: `the host is behind the jump host ${jump}; only direct hosts are checked`,
  };
}

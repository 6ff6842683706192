import type { Head } from '../evidence/chain.ts';
import type { Entry } from '../evidence/entry.ts';
import { type EvidenceEvent, type HostPulse, readEvent } from '../evidence/events.ts';
import { History } from '../evidence/history.ts';
import type { Period } from '../evidence/watch.ts';
import type { AcceptanceFacts, Mark, Origin, RoutesSince } from './facts.ts';

/** Entries up to this long before the window still matter, for the last look before it, in milliseconds. */
const LEAD_MS = 3_600_000;

/** Beyond this number, looks before the window are dropped. */
const MOST_CHECKS = 100_000;

type Gathered = Pick<
  AcceptanceFacts,
  'window' | 'head' | 'routes' | 'origins' | 'historyOf' | 'host' | 'daemonVersion'
>;

/** Gathers the facts for the judgement from the log, entry by entry. */
export class Gathering {
  readonly #options: { readonly host: string; readonly windowMs: number; readonly notAfter: number };
  readonly #history = new History();
  readonly #routes: RoutesSince[] = [];
  readonly #marks: Mark[] = [];
  readonly #origins: Origin[] = [];
  #daemonVersion: string | null = null;
  #checks: number[] = [];
  #head: Head = { seq: 0, hash: '' };
  #until: number | undefined;

  /** `notAfter`: later entries do not count. In milliseconds since the epoch. */
  constructor(options: { readonly host: string; readonly windowMs: number; readonly notAfter: number }) {
    this.#options = options;
  }

  read(entry: Entry, head: Head): void {
    const at = Date.parse(entry.at);
    if (at > this.#options.notAfter) return;
    this.#head = head;
    this.#until = Math.max(this.#until ?? at, at);
    const event = readEvent(entry);
    this.#history.record(event, { at: new Date(at), uptimeMs: entry.uptime_ms });
    if (event) this.#take(event, at);
  }

  get gathered(): Gathered {
    const until = this.#until;
    const window: Period | undefined =
      until === undefined ? undefined : { from: until - this.#options.windowMs, until };
    return {
      window,
      head: this.#head,
      routes: this.#routes,
      origins: this.#origins,
      historyOf: (tunnel) => this.#history.of(tunnel),
      host: { marks: this.#marks, checks: this.#checks.toSorted((a, b) => a - b) },
      daemonVersion: this.#daemonVersion,
    };
  }

  #take(event: EvidenceEvent, at: number): void {
    switch (event.event) {
      case 'daemon.started':
        this.#daemonVersion = event.version;
        this.#routes.push({ at, routes: undefined });
        this.#origins.push({ at, node: event.node, machine: event.machine });
        return;
      case 'config.in_force': {
        const { event: _, ...routes } = event;
        this.#routes.push({ at, routes });
        // A reload may rename the node.
        this.#origins.push({ at, node: routes.node, machine: this.#origins.at(-1)?.machine });
        return;
      }
      case 'heartbeat': {
        const pulse = event.hosts?.[this.#options.host];
        if (pulse) this.#takePulse(pulse, at);
        return;
      }
      case 'host.reachable':
      case 'host.unreachable':
      case 'host.unknown':
        if (event.host !== this.#options.host) return;
        this.#marks.push({
          at,
          state: stateOf(event.event),
          code: event.code,
          address: event.address,
          reason: event.reason,
        });
        this.#checks.push(at);
    }
  }

  #takePulse({ state, code, address, checked }: HostPulse, at: number): void {
    // Some looks may have had their own line already.
    const last = this.#marks.at(-1);
    const times = checked.map((time) => Date.parse(time));
    this.#checks.push(...times);
    if (last?.state !== state || last.code !== code || last.address !== address)
      this.#marks.push({ at: times.at(-1) ?? at, state, code, address, reason: undefined });
    if (this.#checks.length > MOST_CHECKS) {
      const oldest = at - this.#options.windowMs - LEAD_MS;
      this.#checks = this.#checks.filter((time) => time >= oldest);
    }
  }
}

function stateOf(event: `host.${HostPulse['state']}`): HostPulse['state'] {
  return event === 'host.reachable' ? 'reachable' : event === 'host.unreachable' ? 'unreachable' : 'unknown';
}

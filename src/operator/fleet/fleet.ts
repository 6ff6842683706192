import { setMaxListeners } from 'node:events';
import { follow } from '../../base/async/follow.ts';
import { Lanes } from '../../base/async/lanes.ts';
import type { TunnelError } from '../../base/errors.ts';
import { formatAddress, type TcpAddress } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import { countTunnels, type NodeState } from '../../telemetry/status/node-state.ts';
import type { Status } from '../../telemetry/status/status.ts';
import type { Way } from '../../tunnels/tunnel/link-table.ts';
import type { FleetAnswer, FleetNode } from './answer.ts';
import { askNode, type Heard } from './ask.ts';
import { scrapeOf } from './scrape.ts';

/** Where a daemon answers on its own machine, unless configured otherwise. */
const USUAL_ENDPOINT: TcpAddress = { kind: 'tcp', host: '127.0.0.1', port: 9780 };
/** The most nodes that one request asks. */
const MOST_NODES = 64;
/** The most questions at a time. One answer has at most 1 MiB. */
const MOST_AT_ONCE = 16;
/** No node is asked again within this time, in milliseconds. */
const KEPT_MS = 10_000;
/** A node answers within this time, whatever number of links leads to the node, in milliseconds. */
const ANSWER_MS = 2_000;

export interface FleetDependencies {
  /** The links at present. */
  ways(): readonly Way[];
  snapshot(): Status;
  /** Aborts when the daemon stops. */
  readonly stopped: AbortSignal;
  /** The time that a node has for its answer, in milliseconds. Default: 2 s. */
  readonly answerMs?: number;
}

interface Asked extends Heard {
  readonly at: Date;
}

/** A host with a daemon, and the links to it. */
interface Place {
  readonly ways: readonly [Way, ...Way[]];
  readonly endpoint: TcpAddress;
}

/**
 * What the daemons of other nodes say about themselves. They are asked over the links, read-only, and only when somebody
 * asks here: all callers within ten seconds share one round of questions.
 */
export class Fleet {
  readonly #deps: FleetDependencies;
  #round: Promise<FleetAnswer> | undefined;
  /** As of performance.now(). */
  #roundEnded = Number.NEGATIVE_INFINITY;
  /** The last answers, by host. */
  #last = new Map<string, { readonly endpoint: string; readonly node: string; readonly at: Date }>();

  constructor(deps: FleetDependencies) {
    this.#deps = deps;
  }

  /** Settles within seconds; never rejects because of another node. */
  look(): Promise<FleetAnswer> {
    if (this.#round && performance.now() - this.#roundEnded < KEPT_MS) return this.#round;
    this.#roundEnded = Number.POSITIVE_INFINITY;
    this.#round = this.#ask().finally(() => {
      this.#roundEnded = performance.now();
    });
    return this.#round;
  }

  async #ask(): Promise<FleetAnswer> {
    const places = placesOf(this.#deps.ways());
    const lanes = new Lanes(MOST_AT_ONCE);
    const round = follow(this.#deps.stopped);
    // Each question listens.
    setMaxListeners(MOST_AT_ONCE, round.signal);
    const asked = await Promise.all(
      places
        .slice(0, MOST_NODES)
        .map((place) => lanes.take(async () => ({ place, heard: await this.#askNow(place, round.signal) }))),
    );
    round.end();
    const last = new Map(asked.map(({ place, heard }) => [place.ways[0].host.name, this.#remembered(place, heard)]));
    this.#last = new Map([...last].flatMap(([host, seen]) => (seen ? [[host, seen]] : [])));
    const snapshot = this.#deps.snapshot();
    return {
      schema: 1,
      now: snapshot.now,
      self: ownState(snapshot),
      nodes: asked.map(({ place, heard }) => this.#describe(place, heard, snapshot)),
      not_asked: places.slice(MOST_NODES).map(({ ways }) => ways[0].host.name),
    };
  }

  async #askNow({ ways, endpoint }: Place, over: AbortSignal): Promise<Asked> {
    const { answerMs = ANSWER_MS } = this.#deps;
    return { at: new Date(), ...(await askNode(ways, endpoint, answerMs, over)) };
  }

  #remembered({ ways, endpoint }: Place, { outcome }: Asked) {
    const address = formatAddress(endpoint);
    if (!isError(outcome)) return { endpoint: address, node: outcome.node, at: new Date() };
    const before = this.#last.get(ways[0].host.name);
    // At another address, another daemon answers.
    return before?.endpoint === address ? before : undefined;
  }

  #describe({ ways, endpoint }: Place, { actor, at, outcome }: Asked, snapshot: Status): FleetNode {
    const { host } = ways[0];
    const last = this.#last.get(host.name);
    return {
      host: host.name,
      actor,
      endpoint: formatAddress(endpoint),
      answers: !isError(outcome),
      ...(isError(outcome) ? { ...UNKNOWN, node: last?.node ?? null } : outcome),
      asked_at: at,
      answered_at: last?.at ?? null,
      error: isError(outcome) ? reportOf(outcome) : null,
      scrape: scrapeOf(host, endpoint, snapshot.tunnels),
    };
  }
}

const UNKNOWN = { version: null, started_at: null, state: null, reason: null, tunnels: null } as const;

function isError(outcome: NodeState | TunnelError): outcome is TunnelError {
  return outcome instanceof Error;
}

/** Messages may quote what a peer has sent. */
function reportOf(error: TunnelError): FleetNode['error'] {
  const { code, message, hint, at } = error.report();
  return { code, message: printable(message, 400), hint, at };
}

function ownState({ node, version, started_at, state, reason, tunnels }: Status): NodeState {
  return { node, version, started_at, state, reason, tunnels: countTunnels(tunnels) };
}

/** One for each host that may be asked, by name. Several links to a host lead to the same daemon. */
function placesOf(ways: readonly Way[]): Place[] {
  const byHost = new Map<string, [Way, ...Way[]]>();
  for (const way of ways) {
    const known = byHost.get(way.host.name);
    if (known) known.push(way);
    else byHost.set(way.host.name, [way]);
  }
  const sorted = [...byHost].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([, own]) => {
    const { endpoint = USUAL_ENDPOINT } = own[0].host;
    return endpoint === 'none' ? [] : { ways: own, endpoint };
  });
}

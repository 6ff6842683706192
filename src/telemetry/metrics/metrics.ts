import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { ERROR_CODES, type ErrorCode } from '../../base/errors.ts';
import { BLOCKER_CODES } from '../status/finding-codes.ts';
import type { Status } from '../status/status.ts';
import { FAMILIES } from './families.ts';
import { familyText, pageRows, tunnelFamilyText } from './family-text.ts';
import { Histogram } from './histogram.ts';
import { LoopLag } from './loop-lag.ts';

/** Counts durations in seconds. */
export interface Durations<Label extends string> {
  observe(labels: Readonly<Record<Label, string>>, seconds: number): void;
}

/**
 * The metrics of the endpoint. Values of the snapshot are read at each scrape. Only events between two scrapes are
 * counted here, by their components. All times are in seconds.
 */
export interface Metrics {
  /** How long a held connection waited for the link, with any outcome. */
  readonly holdSeconds: Durations<'tunnel'>;
  /** From the accept of a client connection to its open channel. */
  readonly connectSeconds: Durations<'tunnel'>;
  readonly probeDurationSeconds: Durations<'tunnel'>;
  /** Time without the listener of a remote tunnel on the host, from the loss or move to the next listener. */
  readonly remoteListenGapSeconds: Durations<'tunnel'>;
  /** Client connections that were reset or lost before service, mostly because file descriptors ran out. */
  readonly acceptErrors: Counter<'tunnel'>;
  /** `code` is `ok` or an error code. */
  readonly linkConnectAttempts: Counter<'host' | 'actor' | 'code'>;
  /** From the loss of a session to its detection. */
  readonly linkDetectSeconds: Durations<'host' | 'actor'>;
  /** From the loss of a link to its recovery. */
  readonly linkRecoverSeconds: Durations<'host' | 'actor'>;
  /** From a new credential to the last replaced session. */
  readonly rotationSeconds: Durations<'host' | 'actor'>;
  /** `result` is `ok`, `unchanged` (the same certificate again) or `failed`. */
  readonly certificateRenewals: Counter<'actor' | 'result'>;
  /**
   * Channel opens repeated on a second session because the first was slow; `won` if the second was faster, else `lost`.
   */
  readonly linkHedgedOpens: Counter<'host' | 'actor' | 'result'>;
  /** Blockers that an operator overrode to retire a tunnel. */
  readonly retireOverrides: Counter<'tunnel' | 'code'>;
  /** Client lookups by result; `skipped` connections had ended or were too many. */
  readonly clientLookups: Counter<'result'>;
  /** Duration of one search for clients, without pauses. */
  readonly clientLookupSeconds: Durations<never>;
  /** Drops the counts of a tunnel that was removed from the configuration. */
  forgetTunnel(name: string): void;
  /** Drops the counts of a link that no tunnel needs any more. */
  forgetLink(host: string, actor: string): void;
  /** Drops the counts of an actor that no link uses any more. */
  forgetActor(name: string): void;
  /** Our metrics and the metrics of Node, in the text format 0.0.4. */
  render(snapshot: Status): Promise<string>;
  /** Only our metrics. They pass the linter; the default metrics of Node do not. */
  renderOwn(snapshot: Status): Promise<string>;
  readonly contentType: string;
}

const PREFIX = 'fleet_mesh_';

/** A page of many tunnels is made in pieces of about this length, in milliseconds: connections wait no longer. */
const PIECE_MS = 5;

/** Pause between two looks of prom-client at the event loop, which cannot be switched off: 24 days, in milliseconds. */
const NEVER_MS = 2 ** 31 - 1;
/** The figures of these looks. */
const LAGS_OF_PROM_CLIENT = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const;

/** A channel over an idle link takes one round trip, 1 to 50 ms in a fleet. Longer times are waits for a link. */
const CONNECT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** `while_down.hold` is 10 s by default. */
const HOLD_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60];
const PROBE_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** A move takes about 1 ms. Without ClientAliveInterval, sshd keeps the listener of a dead session for two hours. */
const LISTEN_GAP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15, 60, 300, 900, 3_600, 7_200];
/** Keepalive detects a loss within 15 s by default, a failing probe within seconds. */
const DETECT_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 60];
/** A login takes tens of milliseconds, and the sessions of a link come one after the other. */
const ROTATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
/** A kernel table takes a few milliseconds, a machine with ten thousand open files a few tens. */
const LOOKUP_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const LOOKUP_RESULTS = ['found', 'unknown', 'skipped'] as const;
const HEDGE_RESULTS = ['won', 'lost'] as const;
const RENEWAL_RESULTS = ['ok', 'unchanged', 'failed'] as const;
/** Up to a host that is unreachable for an hour. */
const RECOVER_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** The typed instruments, with private registries: two daemons in one process stay separate. */
export function createMetrics(): Metrics {
  const own = new Registry();
  const registers = [own];
  const processes = new Registry();
  // prom-client has its own monitor of the event loop, which wakes the process a hundred times a second: ours is enough.
  collectDefaultMetrics({ register: processes, eventLoopMonitoringPrecision: NEVER_MS });
  for (const name of LAGS_OF_PROM_CLIENT) processes.removeSingleMetric(`nodejs_eventloop_lag_${name}_seconds`);
  // Gauges with the name of a counter, which `promtool check metrics` rejects; their parts by type are on the page.
  for (const kind of ['handles', 'requests', 'resources']) processes.removeSingleMetric(`nodejs_active_${kind}_total`);

  const histograms: Histogram[] = [];
  const histogram = (name: string, help: string, bounds: readonly number[]) => {
    const made = new Histogram({ name: `${PREFIX}${name}`, help, bounds });
    histograms.push(made);
    return made;
  };

  const perTunnel = {
    holdSeconds: histogram('tunnel_hold_seconds', 'Waiting time of held connections.', HOLD_BUCKETS),
    connectSeconds: histogram('tunnel_connect_seconds', 'Time from accept to open channel.', CONNECT_BUCKETS),
    probeDurationSeconds: histogram('probe_duration_seconds', 'Duration of probes.', PROBE_BUCKETS),
    remoteListenGapSeconds: histogram(
      'remote_listen_gap_seconds',
      'Time without the listener on the host.',
      LISTEN_GAP_BUCKETS,
    ),
    acceptErrors: new Counter<'tunnel'>({
      name: `${PREFIX}accept_errors_total`,
      help: 'Client connections that were not accepted, mostly because file descriptors ran out.',
      labelNames: ['tunnel'],
      registers,
    }),
  };
  const perLink = {
    linkDetectSeconds: histogram(
      'link_detect_seconds',
      'Time from the loss of a session to its detection.',
      DETECT_BUCKETS,
    ),
    linkRecoverSeconds: histogram(
      'link_recover_seconds',
      'Time from the loss of a link to its recovery.',
      RECOVER_BUCKETS,
    ),
    rotationSeconds: histogram(
      'rotation_seconds',
      'Time from a new credential to the last replaced session.',
      ROTATION_BUCKETS,
    ),
  };
  const linkConnectAttempts = new Counter<'host' | 'actor' | 'code'>({
    name: `${PREFIX}link_connect_attempts_total`,
    help: 'Attempts to open an SSH session by outcome: ok or an error code.',
    labelNames: ['host', 'actor', 'code'],
    registers,
  });

  const certificateRenewals = new Counter<'actor' | 'result'>({
    name: `${PREFIX}certificate_renewals_total`,
    help: 'Runs of cert_command by outcome: ok, unchanged (the same certificate again) or failed.',
    labelNames: ['actor', 'result'],
    registers,
  });

  const retireOverrides = new Counter<'tunnel' | 'code'>({
    name: `${PREFIX}retire_overrides_total`,
    help: 'Blockers that were overridden when the tunnel was retired.',
    labelNames: ['tunnel', 'code'],
    registers,
  });

  const linkHedgedOpens = new Counter<'host' | 'actor' | 'result'>({
    name: `${PREFIX}link_hedged_opens_total`,
    help: 'Channel opens repeated because a session stopped answering: faster than the first (won) or not (lost).',
    labelNames: ['host', 'actor', 'result'],
    registers,
  });

  const clientLookups = new Counter<'result'>({
    name: `${PREFIX}client_lookups_total`,
    help: 'Client connections by lookup of the process: found, unknown or skipped.',
    labelNames: ['result'],
    registers,
  });
  for (const result of LOOKUP_RESULTS) clientLookups.inc({ result }, 0);
  const clientLookupSeconds = histogram(
    'client_lookup_seconds',
    'Duration of one search for the processes of clients.',
    LOOKUP_BUCKETS,
  );
  clientLookupSeconds.touch({});

  const lag = new LoopLag();
  const loopLag = new Gauge({
    name: `${PREFIX}event_loop_lag_seconds`,
    help: 'Longest delay of the event loop in the last minute: every connection waits as long.',
    registers,
  });

  /** Tunnels with a series of their accept errors. */
  const counted = new Set<string>();
  const update = (snapshot: Status) => {
    loopLag.set(lag.read());
    // The series must exist before the first increment; otherwise a rate misses that increment.
    for (const { host, actor, credential } of snapshot.links) {
      linkConnectAttempts.inc({ host, actor, code: 'ok' }, 0);
      for (const result of HEDGE_RESULTS) linkHedgedOpens.inc({ host, actor, result }, 0);
      for (const instrument of Object.values(perLink)) instrument.touch({ host, actor });
      if (credential.renewal) for (const result of RENEWAL_RESULTS) certificateRenewals.inc({ actor, result }, 0);
    }
    for (const { name, retirement, usage } of snapshot.tunnels) {
      // Not for each of a thousand idle tunnels: the page would double.
      if (usage.opened_total > 0) perTunnel.holdSeconds.touch({ tunnel: name });
      if (!counted.has(name)) perTunnel.acceptErrors.inc({ tunnel: name }, 0);
      counted.add(name);
      for (const code of retirement?.blockers ?? []) retireOverrides.inc({ tunnel: name, code }, 0);
    }
  };

  const ownPage = async (snapshot: Status) => {
    update(snapshot);
    const texts: string[] = [];
    const rows = pageRows(snapshot.tunnels);
    for await (const family of pieces(FAMILIES)) {
      if ('series' in family) texts.push(tunnelFamilyText(PREFIX, family, rows));
      else texts.push(familyText(PREFIX, family, family.samples(snapshot)));
    }
    for await (const each of pieces(histograms)) texts.push(each.text());
    for await (const { name } of pieces(own.getMetricsAsArray())) texts.push(await own.getSingleMetricAsString(name));
    return `${texts.join('\n\n')}\n`;
  };

  return {
    ...perTunnel,
    ...perLink,
    linkConnectAttempts,
    linkHedgedOpens,
    certificateRenewals,
    retireOverrides,
    clientLookups,
    clientLookupSeconds,
    forgetTunnel: (tunnel) => {
      counted.delete(tunnel);
      for (const code of BLOCKER_CODES) retireOverrides.remove({ tunnel, code });
      for (const instrument of Object.values(perTunnel)) instrument.remove({ tunnel });
    },
    forgetLink: (host, actor) => {
      for (const instrument of Object.values(perLink)) instrument.remove({ host, actor });
      const codes: readonly ('ok' | ErrorCode)[] = ['ok', ...ERROR_CODES];
      for (const code of codes) linkConnectAttempts.remove({ host, actor, code });
      for (const result of HEDGE_RESULTS) linkHedgedOpens.remove({ host, actor, result });
    },
    forgetActor: (actor) => {
      for (const result of RENEWAL_RESULTS) certificateRenewals.remove({ actor, result });
    },
    // Registry.merge() only copies the current instruments; two joined pages are a valid page.
    render: async (snapshot) => `${await ownPage(snapshot)}\n${await processes.metrics()}`,
    renderOwn: ownPage,
    contentType: own.contentType,
  };
}

/** Lets the event loop go on after each {@link PIECE_MS} of the work. */
async function* pieces<T>(items: readonly T[]): AsyncGenerator<T> {
  let from = performance.now();
  for (const item of items) {
    if (performance.now() - from >= PIECE_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      from = performance.now();
    }
    yield item;
  }
}

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { ERROR_CODES, type ErrorCode } from '../../base/errors.ts';
import { BLOCKER_CODES } from '../status/finding-codes.ts';
import type { Status } from '../status/status.ts';
import { FAMILIES } from './families.ts';

/**
 * The metrics of SPEC section 5. What a snapshot knows is read off it at each scrape; only what happens between two
 * scrapes is counted here, by those whom it happens to. All times in seconds.
 */
export interface Metrics {
  /** How long a held connection waited for the link, whatever came of it. */
  readonly holdSeconds: Histogram<'tunnel'>;
  /** From the accept of a client's connection to its open channel. */
  readonly connectSeconds: Histogram<'tunnel'>;
  readonly probeDurationSeconds: Histogram<'tunnel'>;
  /** How long nothing listened for a remote tunnel on its host, from the loss or the move of its listener to the next. */
  readonly remoteListenGapSeconds: Histogram<'tunnel'>;
  /** Client connections that were reset or lost before anybody could serve them, above all for want of descriptors. */
  readonly acceptErrors: Counter<'tunnel'>;
  /** `code` is `ok` or an error code. */
  readonly linkConnectAttempts: Counter<'host' | 'actor' | 'code'>;
  /** From the loss of a session to the moment that it was noticed. */
  readonly linkDetectSeconds: Histogram<'host' | 'actor'>;
  /** From the loss of a link to serving again. */
  readonly linkRecoverSeconds: Histogram<'host' | 'actor'>;
  /** From the news of another credential to the last session that was replaced for it. */
  readonly rotationSeconds: Histogram<'host' | 'actor'>;
  /** `result` is `ok`, `unchanged` (the same certificate again) or `failed`. */
  readonly certificateRenewals: Counter<'actor' | 'result'>;
  /** Channel opens that were tried on a second session because the first was late; `won` if that was faster, else `lost`. */
  readonly linkHedgedOpens: Counter<'host' | 'actor' | 'result'>;
  /** Blockers that somebody took on themselves to retire a tunnel. */
  readonly retireOverrides: Counter<'tunnel' | 'code'>;
  /** Connections whose client was asked for; `skipped` were not looked at, for they had ended or there were too many. */
  readonly clientLookups: Counter<'result'>;
  /** Time that one search for clients took, pauses excluded. */
  readonly clientLookupSeconds: Histogram;
  /** Drops what was counted for a tunnel that left the configuration. */
  forgetTunnel(name: string): void;
  /** Drops what was counted for a link that no tunnel needs any more. */
  forgetLink(host: string, actor: string): void;
  /** Drops what was counted for an actor that no link goes by any more. */
  forgetActor(name: string): void;
  /** Ours and Node's, in the text format 0.0.4. */
  render(snapshot: Status): Promise<string>;
  /** Only ours: lint-clean, which Node's default metrics are not. */
  renderOwn(snapshot: Status): Promise<string>;
  readonly contentType: string;
}

const PREFIX = 'fleet_mesh_';

/** A channel over an idle link takes one round trip, within a fleet 1 to 50 ms; the rest is waiting for a link. */
const CONNECT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** `while_down.hold` is 10 s by default. */
const HOLD_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60];
const PROBE_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** A move takes about a millisecond; sshd without ClientAliveInterval holds a dead session's listener for two hours. */
const LISTEN_GAP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15, 60, 300, 900, 3_600, 7_200];
/** Keepalive notices within 15 s by default, a failing probe within seconds. */
const DETECT_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 60];
/** Up to a host that is away for an hour. */
/** A login takes tens of milliseconds, and the sessions of a link come one after the other. */
const ROTATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
/** A table of the kernel takes some milliseconds, a machine with ten thousand open files some tens. */
const LOOKUP_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const LOOKUP_RESULTS = ['found', 'unknown', 'skipped'] as const;
const RENEWAL_RESULTS = ['ok', 'unchanged', 'failed'] as const;
const RECOVER_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** The typed instruments over registries of their own, so that two of them in one process never meet. */
export function createMetrics(): Metrics {
  const own = new Registry();
  const registers = [own];
  const processes = new Registry();
  collectDefaultMetrics({ register: processes });

  const derived = FAMILIES.map((family) => ({ family, fill: derive(family, registers) }));

  const histogram = <Label extends string>(name: string, help: string, labelNames: Label[], buckets: number[]) =>
    new Histogram({ name: `${PREFIX}${name}`, help, labelNames, buckets, registers });

  const perTunnel = {
    holdSeconds: histogram('tunnel_hold_seconds', 'Wait of held connections.', ['tunnel'], HOLD_BUCKETS),
    connectSeconds: histogram('tunnel_connect_seconds', 'Accept to open channel.', ['tunnel'], CONNECT_BUCKETS),
    probeDurationSeconds: histogram('probe_duration_seconds', 'Duration of probes.', ['tunnel'], PROBE_BUCKETS),
    remoteListenGapSeconds: histogram(
      'remote_listen_gap_seconds',
      'Time without the listener on the host.',
      ['tunnel'],
      LISTEN_GAP_BUCKETS,
    ),
    acceptErrors: new Counter<'tunnel'>({
      name: `${PREFIX}accept_errors_total`,
      help: 'Client connections that could not be accepted, for want of file descriptors above all.',
      labelNames: ['tunnel'],
      registers,
    }),
  };
  const link: ('host' | 'actor')[] = ['host', 'actor'];
  const perLink = {
    linkDetectSeconds: histogram('link_detect_seconds', 'Loss of a session to noticing it.', link, DETECT_BUCKETS),
    linkRecoverSeconds: histogram('link_recover_seconds', 'Loss of a link to serving again.', link, RECOVER_BUCKETS),
    rotationSeconds: histogram('rotation_seconds', 'New credential to all sessions replaced.', link, ROTATION_BUCKETS),
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
    help: 'Channel opens raced on a second session, by whether that was faster (won) or not (lost).',
    labelNames: ['host', 'actor', 'result'],
    registers,
  });

  const clientLookups = new Counter<'result'>({
    name: `${PREFIX}client_lookups_total`,
    help: 'Client connections by whether the process was found, unknown, or not looked for (skipped).',
    labelNames: ['result'],
    registers,
  });
  for (const result of LOOKUP_RESULTS) clientLookups.inc({ result }, 0);
  const clientLookupSeconds = histogram(
    'client_lookup_seconds',
    'Work to find the clients of some connections at once.',
    [],
    LOOKUP_BUCKETS,
  );

  const update = (snapshot: Status) => {
    for (const { family, fill } of derived) fill(family.samples(snapshot));
    // A rate over a series that appears with its first increment misses that increment.
    for (const { host, actor, credential } of snapshot.links) {
      linkConnectAttempts.inc({ host, actor, code: 'ok' }, 0);
      if (credential.renewal) for (const result of RENEWAL_RESULTS) certificateRenewals.inc({ actor, result }, 0);
    }
    for (const { name, retirement } of snapshot.tunnels) {
      perTunnel.acceptErrors.inc({ tunnel: name }, 0);
      for (const code of retirement?.blockers ?? []) retireOverrides.inc({ tunnel: name, code }, 0);
    }
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
      for (const code of BLOCKER_CODES) retireOverrides.remove({ tunnel, code });
      for (const instrument of Object.values(perTunnel)) instrument.remove({ tunnel });
    },
    forgetLink: (host, actor) => {
      for (const instrument of Object.values(perLink)) instrument.remove({ host, actor });
      const codes: readonly ('ok' | ErrorCode)[] = ['ok', ...ERROR_CODES];
      for (const code of codes) linkConnectAttempts.remove({ host, actor, code });
      for (const result of ['won', 'lost']) linkHedgedOpens.remove({ host, actor, result });
    },
    forgetActor: (actor) => {
      for (const result of RENEWAL_RESULTS) certificateRenewals.remove({ actor, result });
    },
    render: async (snapshot) => {
      update(snapshot);
      // Registry.merge() copies what is registered at that moment; two pages end to end are a page as well.
      const pages = await Promise.all([own.metrics(), processes.metrics()]);
      return pages.join('\n');
    },
    renderOwn: (snapshot) => {
      update(snapshot);
      return own.metrics();
    },
    contentType: own.contentType,
  };
}

/** Replaces all series of a family at once: what is gone from the snapshot is gone from the page. */
function derive(family: (typeof FAMILIES)[number], registers: Registry[]) {
  const settings = { name: `${PREFIX}${family.name}`, help: family.help, labelNames: family.labels, registers };
  if (family.type === 'gauge') {
    const gauge = new Gauge(settings);
    return (samples: ReturnType<typeof family.samples>) => {
      gauge.reset();
      for (const { labels, value } of samples) gauge.set(labels, value);
    };
  }
  const counter = new Counter(settings);
  return (samples: ReturnType<typeof family.samples>) => {
    counter.reset();
    for (const { labels, value } of samples) counter.inc(labels, value);
  };
}

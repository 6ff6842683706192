import { formatAddress } from './address.ts';
import { type Repeating, repeat } from './async/repeat.ts';
import type { Config } from './config/config.ts';
import { diffConfig, summarizeDiff } from './config/diff.ts';
import { loadConfig } from './config/load.ts';
import { overallState } from './health/overall.ts';
import type { ConfigStatus, Status } from './health/status.ts';
import { createEndpoint, type Endpoint } from './http/server.ts';
import { KnownHostsReport } from './link/known-hosts-report.ts';
import { prepare } from './link/prepare.ts';
import type { RootLogger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { Supervisor } from './tunnel/supervisor.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly version: string;
}

/** The supervisor's heartbeat. */
const TICK_MS = 1_000;
/** A heartbeat older than this, and `/livez` says no. */
const ALIVE_MS = 10_000;

/** Everything that is running, and the only place that knows all of it. Starts in order, stops in reverse. */
export class Daemon {
  readonly #log: RootLogger;
  readonly #version: string;
  readonly #metrics: Metrics;
  readonly #supervisor: Supervisor;
  readonly #startedAt = new Date();
  readonly #stopped = new AbortController();
  #config: Config;
  #loadedAt = new Date();
  #lastReload: ConfigStatus['last_reload'] = null;
  #endpoint: Endpoint;
  #heartbeat: Repeating | undefined;
  #heartbeatAt = performance.now();
  #applied = false;
  #reloading: Promise<void> = Promise.resolve();

  constructor(options: DaemonOptions, log: RootLogger) {
    this.#config = options.config;
    this.#version = options.version;
    this.#log = log;
    this.#metrics = createMetrics({ version: options.version, node: options.config.node });
    const knownHosts = new KnownHostsReport(log);
    this.#supervisor = new Supervisor({
      prepare: (host, actor) => prepare(host, actor, (path, problems) => knownHosts.report(path, problems)),
      metrics: this.#metrics,
      log,
      random: Math.random,
    });
    this.#endpoint = this.#createEndpoint(options.config);
  }

  /** Rejects with a TunnelError when the endpoint cannot be bound; a peer that is away is no reason to fail. */
  async start(): Promise<void> {
    await this.#endpoint.start();
    this.#heartbeat = repeat(
      async () => {
        this.#heartbeatAt = performance.now();
        await this.#supervisor.tick(new Date());
      },
      () => TICK_MS,
      this.#stopped.signal,
    );
    await this.#supervisor.start(this.#config);
    this.#applied = true;
    const { node, path, tunnels } = this.#config;
    this.#log.info(
      { event: 'daemon.started', version: this.#version, node, config: path, tunnels: tunnels.size },
      'fleet-mesh started',
    );
  }

  /** Reads the file again and applies the difference. A file that cannot be used changes nothing. One at a time. */
  reload(): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reloadOnce());
    return this.#reloading;
  }

  /** `force`, once aborted, ends what still runs at once. */
  async stop(force: AbortSignal): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#log.info({ event: 'daemon.stopping', grace_ms: this.#config.stopGraceMs }, 'stopping');
    this.#applied = false;
    this.#stopped.abort();
    await Promise.all([this.#reloading, this.#heartbeat?.done]);
    await this.#supervisor.stop(this.#config.stopGraceMs, force);
    await this.#endpoint.stop();
    this.#log.info({ event: 'daemon.stopped' }, 'stopped');
  }

  snapshot(): Status {
    const tunnels = this.#supervisor.tunnels();
    return {
      schema: 1,
      node: this.#config.node,
      version: this.#version,
      now: new Date().toISOString(),
      started_at: this.#startedAt.toISOString(),
      ...overallState(tunnels),
      config: {
        path: this.#config.path,
        sha256: this.#config.sha256,
        loaded_at: this.#loadedAt.toISOString(),
        last_reload: this.#lastReload,
      },
      links: this.#supervisor.links(),
      tunnels,
      advisories: [],
    };
  }

  async #reloadOnce(): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const at = new Date();
    try {
      const next = await loadConfig(this.#config.path, process.env);
      const diff = diffConfig(this.#config, next);
      // Only another address: the endpoint itself still holds the one that it has.
      if (formatAddress(this.#config.endpoint.listen) !== formatAddress(next.endpoint.listen))
        await this.#moveEndpoint(next);
      if (diff.daemon.has('log')) this.#log.setLevel(next.logLevel);
      await this.#supervisor.apply(next, diff);
      this.#config = next;
      this.#loadedAt = at;
      this.#lastReload = { ok: true, at: at.toISOString(), error: null };
      this.#log.info({ event: 'config.reloaded', changes: summarizeDiff(diff) }, `reloaded: ${summarizeDiff(diff)}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#lastReload = { ok: false, at: at.toISOString(), error: reason };
      this.#log.error({ event: 'config.reload_failed', err: error }, `reload failed, nothing was changed: ${reason}`);
    }
  }

  /** Make before break; when the new address cannot be bound, the reload fails and the old one serves on. */
  async #moveEndpoint(next: Config): Promise<void> {
    const endpoint = this.#createEndpoint(next);
    await endpoint.start();
    const old = this.#endpoint;
    this.#endpoint = endpoint;
    await old.stop();
  }

  #createEndpoint(config: Config): Endpoint {
    const names = [config.node, config.hosts.get(config.node)?.address].filter((name) => name !== undefined);
    return createEndpoint(
      { listen: config.endpoint.listen, allowedHosts: names },
      {
        snapshot: () => this.snapshot(),
        alive: () => performance.now() - this.#heartbeatAt < ALIVE_MS,
        readiness: () =>
          this.#applied ? this.#supervisor.readiness : { ready: false, reasons: ['starting or stopping'] },
        metrics: this.#metrics,
        log: this.#log.child({ component: 'endpoint' }),
      },
    );
  }
}

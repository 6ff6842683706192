import { isDeepStrictEqual } from 'node:util';
import type { NamedTurns } from '../../base/async/turns.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import type { Config, TunnelConfig } from '../../config/config.ts';
import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { OwnCutoverStatus } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import type { Junction } from '../../tunnels/forward/junction.ts';
import { isElsewhere, placeOf } from '../../tunnels/tunnel/sameness.ts';
import type { ProvenCutover, Standing } from '../evidence/standing.ts';
import { Cutover, type CutoverDependencies, type Outcome, successorSource } from './cutover.ts';
import { findLoop } from './find-loop.ts';
import { ANOTHER_TUNNEL, type Progress } from './journal.ts';
import { outline } from './outline.ts';
import { isInProgress } from './phase.ts';
import { type Check, type Gates, type PreflightSubject, preflight, probeSuccessor } from './preflight.ts';
import type { CutoverStore } from './store.ts';

/** The parts of a running tunnel that a cut-over needs. */
export interface CutoverTunnel {
  readonly config: TunnelConfig;
  readonly outOfService: object | undefined;
  readonly condition: { readonly kind: string };
  /** Connects to the target of the tunnel. */
  readonly probeSource: ChannelSource;
}

export interface CutoversDependencies extends CutoverDependencies {
  /** Changes of the same tunnel take turns. */
  readonly turns: NamedTurns;
  readonly store: CutoverDependencies['store'] & Pick<CutoverStore, 'names' | 'unwritten' | 'restore'>;
  tunnel(name: string): CutoverTunnel | undefined;
  /** All tunnels of the configuration in force. */
  tunnels(): Iterable<TunnelConfig>;
  /** Whether the tunnel is retired: then there is no rollback, and the port keeps its route. */
  retired(name: string): boolean;
  /** The gates of a step in the plan in force, or one sentence: why they are unknown. */
  gates(step: string): Gates | string;
}

/** Why a cut-over is impossible, whatever state the successor is in. */
export class CutoverImpossible extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The steps of a cut-over, and the result of its checks now. */
export interface Rehearsal {
  readonly steps: readonly string[];
  readonly checks: readonly Check[];
}

/** The cut-overs of all tunnels, over reloads and restarts. */
export class Cutovers {
  readonly #deps: CutoversDependencies;
  readonly #cutovers = new Map<string, Cutover>();
  readonly #direct: ChannelSource;
  readonly #stopped = new AbortController();
  /** Committed by the word of the evidence, without a saved cut-over. */
  #lost: ReadonlyMap<string, ProvenCutover> = new Map();

  constructor(deps: CutoversDependencies) {
    this.#deps = deps;
    this.#direct = successorSource(deps, 'probe');
  }

  /** The junction that routes the clients of the tunnel. */
  junctionOf(tunnel: string): Junction {
    return this.#of(tunnel).junction;
  }

  /** When the cut-over or rollback in progress began, in milliseconds since the epoch; undefined if there is none. */
  cutoverSince(tunnel: string): number | undefined {
    const position = this.#cutovers.get(tunnel)?.position;
    return position && isInProgress(position) ? position.since.getTime() : undefined;
  }

  /** Whether a committed cut-over leads the local port of the tunnel to its successor. */
  isCutOver(tunnel: string): boolean {
    const cutover = this.#cutovers.get(tunnel);
    return cutover?.position.phase === 'committed' && cutover.route === 'successor';
  }

  /** As {@link isCutOver}, to this successor: during a reload the port may still lead to the one of before. */
  isCutOverTo(tunnel: string, successor: Address | undefined): boolean {
    const target = this.#cutovers.get(tunnel)?.junction.detour?.target;
    return this.isCutOver(tunnel) && isDeepStrictEqual(target, successor);
  }

  /**
   * Restores all routes; call before any listener is bound. Includes tunnels without a successor: an old commit must not
   * apply to a later successor. Never rejects.
   */
  async restore({ tunnels }: Pick<Config, 'tunnels'>): Promise<void> {
    const local = [...tunnels.values()].filter(({ direction }) => direction === 'local');
    const { retired } = this.#deps;
    await Promise.all(local.map(({ name, drain }) => this.#of(name).restore(drain?.successor, retired(name))));
    for (const { name } of local) this.#adopt(name);
  }

  /**
   * Applies a reload. Rolls back a cut-over in progress whose tunnel changed, and a commit whose successor changed, or
   * whose name belongs to another tunnel now.
   */
  async apply(before: Config, after: Config): Promise<void> {
    const { turns } = this.#deps;
    await Promise.all(
      [...this.#cutovers].map(([name, cutover]) =>
        turns.take([name], () => this.#applyTo(name, cutover, before, after)),
      ),
    );
    for (const { name, drain } of after.tunnels.values()) {
      if (!drain && !this.#cutovers.has(name)) continue;
      this.#of(name).reconfigure(drain?.successor, this.#deps.retired(name));
      this.#adopt(name);
    }
  }

  /** Rejects with {@link CutoverImpossible}, `state_dir_unusable`, and whatever a bug throws. */
  async start(name: string, progress: Progress): Promise<Outcome> {
    // Started in turn; from then on other changes see the cut-over in progress.
    const { done } = await this.#deps.turns.take([name], async () => ({ done: this.#begin(name, progress) }));
    return done;
  }

  /** Changes nothing. Rejects with {@link CutoverImpossible}. */
  async rehearse(name: string): Promise<Rehearsal> {
    const { cutover, subject, config } = this.#prepare(name);
    const steps = outline(config, subject.successor, cutover.junction.through);
    return { steps, checks: await preflight(subject, this.#stopped.signal) };
  }

  /** Rejects with {@link CutoverImpossible}. */
  rollback(name: string, reason: string, progress: Progress): Promise<Outcome> {
    return this.#deps.turns.take([name], async () => {
      const cutover = this.#cutovers.get(name);
      if (!cutover) throw noSuccessor(name);
      if (this.#deps.retired(name)) throw noTunnel(name);
      if (this.#isLost(name)) this.#deps.note({ event: 'cutover.forgotten', tunnel: name });
      this.#lost = new Map([...this.#lost].filter(([each]) => each !== name));
      return cutover.rollback(reason, progress);
    });
  }

  /** Aborts cut-overs in progress: clients stay on the tunnel. Call only in the turn of the tunnels. Never rejects. */
  async giveUp(name: string, reason: string): Promise<void> {
    await this.#cutovers.get(name)?.abandon(reason);
  }

  /** Aborts all cut-overs in progress: their clients stay on the tunnel. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the daemon is stopping'));
    for (const cutover of this.#cutovers.values()) cutover.stop();
    await Promise.all([...this.#cutovers.values()].map((cutover) => cutover.abandon('the daemon is stopping')));
  }

  /** Call when tunnels are no longer retired, in the turn of the tunnels. Never rejects. */
  async backInService(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#cutovers.get(name)?.backInService()));
  }

  /** The saved states that are older than the current ones. */
  get unwritten(): Unwritten[] {
    return this.#deps.store.unwritten;
  }

  /** Writes saved states again that somebody else has changed or removed. Returns the paths. Never rejects. */
  restoreFiles(): Promise<string[]> {
    return this.#deps.store.restore();
  }

  /** Settles when the saved state of the tunnel is on the disk: a restart finds the same route. Rejects with `state_dir_unusable`. */
  confirm(name: string): Promise<void> {
    return this.#deps.store.confirm(name);
  }

  /** Call when the evidence was read: commits that only the evidence knows are told. */
  compare({ cutOver }: Pick<Standing, 'cutOver'>): void {
    this.#lost = cutOver;
  }

  /** Commits that a state file has lost. */
  advisories(): Advisory[] {
    return [...this.#lost].flatMap(([name, { at, successor }]) =>
      this.#isLost(name)
        ? [
            {
              code: 'state_lost' as const,
              message:
                `the saved cut-over of ${name} is lost: new clients go through the tunnel. ` +
                `The evidence says: to ${successor} since ${at.toISOString()}. Decide with \`fleet-mesh cutover ${name}\` or \`fleet-mesh rollback ${name}\``,
            },
          ]
        : [],
    );
  }

  sample(now: Date): void {
    for (const cutover of this.#cutovers.values()) cutover.sample(now);
  }

  /** Null for a tunnel without a successor. */
  statusOf(tunnel: string): OwnCutoverStatus | null {
    return this.#cutovers.get(tunnel)?.status() ?? null;
  }

  /**
   * Removes the records of tunnels that left the configuration while no daemon ran. Call only when the configuration runs:
   * a start that fails must forget nothing. Never rejects.
   */
  async forgetRemoved({ tunnels }: Pick<Config, 'tunnels'>): Promise<void> {
    const { store, log } = this.#deps;
    try {
      const gone = (await store.names()).filter((name) => tunnels.get(name)?.direction !== 'local');
      await Promise.all(gone.map((name) => store.forget(name)));
    } catch (err) {
      log.warn({ event: 'cutover.not_forgotten', err }, 'cannot delete the saved cut-over states of removed tunnels');
    }
  }

  /** Checks a changed successor of a retired tunnel before the port moves: a retired tunnel has no rollback. */
  #adopt(name: string): void {
    if (!this.#deps.retired(name)) return;
    void this.#of(name).adopt(async (successor, signal) => {
      const loop = await findLoop(name, this.#deps.tunnels(), signal);
      if (loop !== undefined) return loop;
      const { ok, message } = await probeSuccessor(successor, this.#direct, signal);
      return ok ? undefined : message;
    });
  }

  /** Nothing has happened to the cut-over since, and the port would still lead to that successor. */
  #isLost(name: string): boolean {
    const cutover = this.#cutovers.get(name);
    const configured = this.#deps.tunnel(name)?.config.drain?.successor?.target;
    const successor = this.#lost.get(name)?.successor ?? undefined;
    return cutover?.position.phase === 'idle' && configured !== undefined && successor === formatAddress(configured);
  }

  async #begin(name: string, progress: Progress): Promise<Outcome> {
    const { cutover, subject, config } = this.#prepare(name);
    if (cutover.position.phase === 'committed') {
      await this.confirm(name);
      return { outcome: 'unchanged', reason: null, checks: [] };
    }
    return cutover.start(
      {
        successor: subject.successor,
        maxConnections: config.maxConnections,
        preflight: (signal) => preflight(subject, signal),
      },
      progress,
    );
  }

  #of(name: string): Cutover {
    const known = this.#cutovers.get(name);
    if (known) return known;
    const { log } = this.#deps;
    const place = () => {
      const tunnel = [...this.#deps.tunnels()].find((each) => each.name === name);
      return tunnel && placeOf(tunnel);
    };
    const cutover = new Cutover(name, { ...this.#deps, place, log: log.child({ tunnel: name }) });
    this.#cutovers.set(name, cutover);
    return cutover;
  }

  #prepare(name: string): { cutover: Cutover; config: TunnelConfig; subject: PreflightSubject } {
    const cutover = this.#of(name);
    const tunnel = this.#deps.tunnel(name);
    const { drain, target, probe } = tunnel?.config ?? {};
    if (!tunnel || !target || !drain?.successor) throw noSuccessor(name);
    if (formatAddress(tunnel.config.listen) === formatAddress(drain.successor.target))
      throw new CutoverImpossible(
        `the successor of ${name} is its own local port`,
        'Set drain.successor to the address of the service, then run `fleet-mesh reload`.',
      );
    if (this.#deps.retired(name)) throw noTunnel(name);
    if (cutover.running || isInProgress(cutover.position))
      throw new CutoverImpossible(
        `a cut-over of ${name} is already in progress: ${cutover.position.phase}`,
        `Watch the cut-over with \`fleet-mesh status ${name}\`, or abort it with \`fleet-mesh rollback ${name}\`.`,
      );
    const subject = {
      outOfService: whyOutOfService(tunnel),
      step: drain.step,
      gates: this.#deps.gates(drain.step),
      target,
      probe,
      successor: drain.successor,
      tunnel: tunnel.probeSource,
      direct: this.#direct,
      loop: (signal: AbortSignal) => findLoop(name, this.#deps.tunnels(), signal),
    };
    return { cutover, subject, config: tunnel.config };
  }

  async #applyTo(name: string, cutover: Cutover, before: Config, after: Config): Promise<void> {
    const [was, is] = [before.tunnels.get(name), after.tunnels.get(name)];
    if (is?.direction !== 'local') {
      await cutover.abandon('the tunnel was removed from the configuration');
      if (was?.drain) await cutover.forget();
      this.#cutovers.delete(name);
      return;
    }
    if (cutover.running && was && !isDeepStrictEqual(concerns(was), concerns(is)))
      await cutover.abandon('a reload changed the tunnel or its successor');
    if (cutover.position.phase !== 'committed') return;
    const over = this.#deps.retired(name) ? undefined : whyOver(was, is);
    if (over !== undefined) await cutover.rollback(over, () => {});
    else if (was && !isDeepStrictEqual(placeOf(was), placeOf(is))) await cutover.keepPlace();
  }
}

/** Why a reload ends a commit; undefined if it does not. */
function whyOver(was: TunnelConfig | undefined, is: TunnelConfig): string | undefined {
  if (was && isElsewhere(placeOf(was), placeOf(is))) return ANOTHER_TUNNEL;
  if (isDeepStrictEqual(was?.drain?.successor?.target, is.drain?.successor?.target)) return undefined;
  return `a reload ${is.drain?.successor ? 'changed' : 'removed'} the successor`;
}

/** The settings that a cut-over in progress depends on. */
function concerns({ listen, target, host, actor, drain }: TunnelConfig) {
  return { listen, target, host, actor, drain };
}

function whyOutOfService({ outOfService, condition }: CutoverTunnel): string | undefined {
  if (outOfService) return 'the tunnel is out of service';
  return condition.kind === 'serving' ? undefined : 'the listen address of the tunnel is not bound';
}

function noSuccessor(name: string): CutoverImpossible {
  return new CutoverImpossible(
    `${name} has no successor`,
    'Set drain.successor in the tunnel YAML, then run `fleet-mesh reload`.',
  );
}

function noTunnel(name: string): CutoverImpossible {
  return new CutoverImpossible(`${name} is retired`, `\`fleet-mesh up ${name}\` takes the tunnel back into service.`);
}

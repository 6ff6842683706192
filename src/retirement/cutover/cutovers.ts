import { isDeepStrictEqual } from 'node:util';
import type { NamedTurns } from '../../base/async/turns.ts';
import { formatAddress } from '../../base/net/address.ts';
import type { Config, TunnelConfig } from '../../config/config.ts';
import type { OwnCutoverStatus } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import { DirectSource } from '../../tunnels/forward/direct-source.ts';
import type { Junction } from '../../tunnels/forward/junction.ts';
import { Cutover, type CutoverDependencies, type Outcome } from './cutover.ts';
import { findLoop } from './find-loop.ts';
import type { Progress } from './journal.ts';
import { outline } from './outline.ts';
import { isUnderWay } from './phase.ts';
import { type Check, type Gates, type PreflightSubject, preflight, probeSuccessor } from './preflight.ts';
import type { CutoverStore } from './store.ts';

/** What a cut-over has to know of a tunnel that runs. */
export interface CutoverTunnel {
  readonly config: TunnelConfig;
  readonly outOfService: object | undefined;
  readonly condition: { readonly kind: string };
  /** What leads to its target. */
  readonly probeSource: ChannelSource;
}

export interface CutoversDependencies extends CutoverDependencies {
  /** What changes one tunnel takes turns, by its name. */
  readonly turns: NamedTurns;
  readonly store: CutoverDependencies['store'] & Pick<CutoverStore, 'names'>;
  tunnel(name: string): CutoverTunnel | undefined;
  /** All tunnels of the configuration in force. */
  tunnels(): Iterable<TunnelConfig>;
  /** Whether its SSH forward has ended for good: then there is no way back, and its port stays where it is. */
  retired(name: string): boolean;
  /** What the plan in force says of a step, or why it says nothing. */
  gates(step: string): Gates | string;
}

/** Why a cut-over is not to be had at all, whatever the successor says. */
export class CutoverImpossible extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** What a cut-over would do, and what would be said to it now. */
export interface Rehearsal {
  readonly steps: readonly string[];
  readonly checks: readonly Check[];
}

/** The cut-overs of all tunnels, and what reloads and restarts mean to them. */
export class Cutovers {
  readonly #deps: CutoversDependencies;
  readonly #cutovers = new Map<string, Cutover>();
  readonly #direct = new DirectSource('probe');
  readonly #stopped = new AbortController();

  constructor(deps: CutoversDependencies) {
    this.#deps = deps;
  }

  /** Where the clients of the tunnel go. */
  junctionOf(tunnel: string): Junction {
    return this.#of(tunnel).junction;
  }

  /** Since when a cut-over of the tunnel, or its way back, is under way, in milliseconds since the epoch. */
  cutoverSince(tunnel: string): number | undefined {
    const position = this.#cutovers.get(tunnel)?.position;
    return position && isUnderWay(position) ? position.since.getTime() : undefined;
  }

  /** Whether a committed cut-over leads the local port of the tunnel to its successor. */
  isCutOver(tunnel: string): boolean {
    const cutover = this.#cutovers.get(tunnel);
    return cutover?.position.phase === 'committed' && cutover.route === 'successor';
  }

  /**
   * Before any listener is bound: each is to come up on the right side. Also those that have no successor any more: what
   * was committed must not come back by itself with the next one. Never rejects.
   */
  async restore({ tunnels }: Pick<Config, 'tunnels'>): Promise<void> {
    const local = [...tunnels.values()].filter(({ direction }) => direction === 'local');
    const { retired } = this.#deps;
    await Promise.all(local.map(({ name, drain }) => this.#of(name).restore(drain?.successor, retired(name))));
    for (const { name } of local) this.#adopt(name);
  }

  /** A reload. What is under way and about something else by now goes back; so does what was committed to another successor. */
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
    // Begun in turn; then it is under way, which everybody who changes the tunnel sees.
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
      return cutover.rollback(reason, progress);
    });
  }

  /** What is under way ends on the side of the tunnel. For those who have the turn of the tunnel. Never rejects. */
  async giveUp(name: string, reason: string): Promise<void> {
    await this.#cutovers.get(name)?.abandon(reason);
  }

  /** What is under way ends on the side of the tunnel. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the daemon is stopping'));
    for (const cutover of this.#cutovers.values()) cutover.stop();
    await Promise.all([...this.#cutovers.values()].map((cutover) => cutover.abandon('the daemon is stopping')));
  }

  /** Those are not retired any more. For those who have the turn of the tunnels. Never rejects. */
  async backInService(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#cutovers.get(name)?.backInService()));
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
      log.warn({ event: 'cutover.not_forgotten', err }, 'the records of removed tunnels could not be removed');
    }
  }

  /** A retired tunnel has no way back: another successor is checked before its port goes there. */
  #adopt(name: string): void {
    if (!this.#deps.retired(name)) return;
    void this.#of(name).adopt(async (successor, signal) => {
      const loop = await findLoop(name, this.#deps.tunnels(), signal);
      if (loop !== undefined) return loop;
      const { ok, message } = await probeSuccessor(successor, this.#direct, signal);
      return ok ? undefined : message;
    });
  }

  async #begin(name: string, progress: Progress): Promise<Outcome> {
    const { cutover, subject, config } = this.#prepare(name);
    if (cutover.position.phase === 'committed') return { outcome: 'unchanged', reason: null, checks: [] };
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
    const cutover = new Cutover(name, { ...this.#deps, log: log.child({ tunnel: name }) });
    this.#cutovers.set(name, cutover);
    return cutover;
  }

  #prepare(name: string): { cutover: Cutover; config: TunnelConfig; subject: PreflightSubject } {
    const cutover = this.#of(name);
    const tunnel = this.#deps.tunnel(name);
    const { drain, target } = tunnel?.config ?? {};
    if (!tunnel || !target || !drain?.successor) throw noSuccessor(name);
    if (formatAddress(tunnel.config.listen) === formatAddress(drain.successor.target))
      throw new CutoverImpossible(
        `the successor of ${name} is its own local port`,
        'Say in drain.successor where the service itself is.',
      );
    if (this.#deps.retired(name)) throw noTunnel(name);
    if (cutover.running || isUnderWay(cutover.position))
      throw new CutoverImpossible(
        `a cut-over of ${name} is under way already: ${cutover.position.phase}`,
        `\`fleet-mesh status ${name}\` shows how far it is; \`fleet-mesh rollback ${name}\` gives it up.`,
      );
    const subject = {
      outOfService: whyOutOfService(tunnel),
      step: drain.step,
      gates: this.#deps.gates(drain.step),
      target,
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
      await cutover.abandon('the tunnel was taken out of the configuration');
      if (was?.drain) await cutover.forget();
      this.#cutovers.delete(name);
      return;
    }
    if (cutover.running && was && !isDeepStrictEqual(concerns(was), concerns(is)))
      await cutover.abandon('the tunnel or its successor was changed by a reload');
    const other = !isDeepStrictEqual(was?.drain?.successor?.target, is.drain?.successor?.target);
    if (cutover.position.phase !== 'committed' || this.#deps.retired(name) || !other) return;
    const what = is.drain?.successor ? 'is another one now' : 'was taken out of the configuration';
    await cutover.rollback(`the successor that it was made to ${what}`, () => {});
  }
}

/** What a cut-over that is under way is about. */
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
    'Say in drain.successor of the tunnel YAML who it is, and reload.',
  );
}

function noTunnel(name: string): CutoverImpossible {
  return new CutoverImpossible(`${name} is retired`, `\`fleet-mesh up ${name}\` takes the tunnel back into service.`);
}

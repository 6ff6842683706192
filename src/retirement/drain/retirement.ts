import type { DiskAt } from '../../base/files/state-disk.ts';
import { answered } from '../../base/files/state-file.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import type { Config } from '../../config/config.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Pulse } from '../../telemetry/pulse.ts';
import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { ProbeCertificateStatus, TunnelStatus } from '../../telemetry/status/status.ts';
import { teller } from '../../telemetry/tell.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import { describeCertificate } from '../../tunnels/probe/certificate.ts';
import type { TunnelPulse } from '../evidence/events.ts';
import { READ_MS } from '../evidence/files.ts';
import { readStanding } from '../evidence/read-standing.ts';
import type { ProvenRetirement, Standing } from '../evidence/standing.ts';
import type { VerdictAnswer } from './answer.ts';
import { RetiredTunnels, retiredFile } from './retired.ts';
import { Successors } from './successors.ts';
import type { Verdict } from './verdict.ts';
import { Verdicts, type VerdictsDependencies } from './verdicts.ts';

export interface RetirementDependencies extends Omit<VerdictsDependencies, 'successors' | 'retired'> {
  /** Connects this node to successors, without SSH. */
  readonly source: ChannelSource;
  readonly log: Logger;
  /** The disk of each state file. */
  readonly disk?: DiskAt;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Retirement of tunnels: the successor probes, the verdicts, and the retired tunnels. */
export class Retirement {
  readonly #deps: RetirementDependencies;
  readonly #successors: Successors;
  readonly #verdicts: Verdicts;
  readonly retired: RetiredTunnels;
  /** Retired by the word of the evidence, but not by the saved list. */
  #forgotten: ReadonlyMap<string, ProvenRetirement> = new Map();
  /** Back in service, because a port would have led nowhere. */
  #contradicted: readonly string[] = [];

  constructor({ stateDir }: { readonly stateDir: string }, deps: RetirementDependencies) {
    this.#deps = deps;
    this.#successors = new Successors(deps);
    const proven = async () => {
      const since = new Date(Date.now() - READ_MS);
      return (await answered(() => readStanding(stateDir, since))).retired;
    };
    this.retired = new RetiredTunnels(retiredFile(stateDir, deps.disk), deps.log, proven);
    this.#verdicts = new Verdicts({ ...deps, successors: this.#successors, retired: this.retired });
  }

  /** Reads the retired tunnels; call before any tunnel starts. Writes nothing yet. Never rejects. */
  async start(): Promise<void> {
    const { tunnels } = this.#deps.config();
    await this.retired.load();
    this.#endWhereOther(tunnels);
    this.#successors.apply(tunnels);
  }

  /**
   * Applies a new configuration, before the routes and the tunnels follow. A removed tunnel is no longer retired, in case its
   * name returns. Nor is a tunnel whose name belongs to another one now. Never rejects.
   */
  async apply(before: Pick<Config, 'tunnels'>, config: Pick<Config, 'tunnels'>): Promise<void> {
    this.#successors.apply(config.tunnels);
    this.#endWhereOther(config.tunnels, before.tunnels);
    await this.retired.keepChanges();
    await this.retired.forget(this.#gone(config));
  }

  #endWhereOther(tunnels: Config['tunnels'], before?: Config['tunnels']): void {
    const { log, note } = this.#deps;
    for (const tunnel of this.retired.endWhereOther(tunnels, before))
      teller(log, note)(
        { event: 'retirement.ended', tunnel, reason: 'the name belongs to another tunnel now' },
        `${tunnel} was retired, but the name belongs to another tunnel now: the other tunnel is in service`,
        'warn',
      );
  }

  /** As {@link RetiredTunnels.dropContradicted}. An advisory names such tunnels until somebody decides. */
  async dropContradicted(cutOver: (tunnel: string) => boolean): Promise<void> {
    this.#contradicted = await this.retired.dropContradicted(cutOver);
  }

  /**
   * Forgets tunnels that left the configuration while no daemon ran. Call only when the configuration runs: a start that
   * fails must forget nothing. Never rejects.
   */
  async forgetRemoved(config: Pick<Config, 'tunnels'>): Promise<void> {
    const gone = this.#gone(config);
    for (const tunnel of gone) this.#deps.note({ event: 'tunnel.removed', tunnel });
    await this.retired.forget(gone);
  }

  /** Call when the evidence was read: retirements that only the evidence knows are told. */
  compare({ retired }: Pick<Standing, 'retired'>): void {
    const { tunnels } = this.#deps.config();
    this.#forgotten = new Map(
      [...retired].filter(
        ([name]) => tunnels.has(name) && !this.retired.of(name) && !this.#contradicted.includes(name),
      ),
    );
  }

  /** Cancels retirements, also those that only the evidence knows. Settles and rejects as {@link RetiredTunnels.remove}. */
  async unretire(names: readonly string[]): Promise<void> {
    await this.retired.remove(names);
    this.#contradicted = this.#contradicted.filter((name) => !names.includes(name));
    this.#forgotten = new Map([...this.#forgotten].filter(([name]) => !names.includes(name)));
  }

  #gone({ tunnels }: Pick<Config, 'tunnels'>): string[] {
    return this.retired.names.filter((name) => !tunnels.has(name));
  }

  /** Call once a second. */
  tick(now: Date): void {
    this.#verdicts.tick(now);
  }

  /** For the heartbeat of the evidence. */
  pulses(pulses: ReadonlyMap<string, Pulse>): ReadonlyMap<string, TunnelPulse> {
    let joined: Map<string, TunnelPulse> | undefined;
    for (const [name, pulse] of pulses) {
      const successor = this.#successors.recordOf(name);
      if (!successor) continue;
      joined ??= new Map<string, TunnelPulse>(pulses);
      joined.set(name, { ...pulse, successor });
    }
    return joined ?? pulses;
  }

  /** The TLS certificate of the tunnel's successor, as its probe sees it. */
  certificateOf(name: string): ProbeCertificateStatus | null {
    return describeCertificate('successor', this.#successors.validityOf(name));
  }

  /** The verdict on a tunnel in the snapshot; null if there is none. */
  statusOf(name: string, now: Date): TunnelStatus['retirement'] {
    return this.#verdicts.statusOf(name, now);
  }

  /** The answer of `/drain/{tunnel}`; undefined for a name that is not configured. */
  answer(name: string, now: Date): VerdictAnswer | undefined {
    return this.#verdicts.answer(name, now);
  }

  /** Undefined if there is nothing to judge. */
  judge(name: string, now: Date): Verdict | undefined {
    return this.#verdicts.on(name, now);
  }

  /** The state files whose newest content is not on the disk. */
  get unwritten(): Unwritten[] {
    const { unwritten } = this.retired;
    return unwritten ? [unwritten] : [];
  }

  advisories(): Advisory[] {
    const { trouble, names } = this.retired;
    return [
      ...(trouble === undefined ? [] : [{ code: 'retirement_unreadable' as const, message: trouble }]),
      ...this.#losses().map((message) => ({ code: 'state_lost' as const, message })),
      ...names.map((name) => ({
        code: 'tunnel_retired' as const,
        message: `${name} is retired since ${this.retired.of(name)?.at}; remove the tunnel from the configuration once no client needs its local port`,
      })),
    ];
  }

  /** Retirements that a state file has lost, each in one sentence. */
  #losses(): string[] {
    const { recalled, path } = this.retired;
    const { tunnels } = this.#deps.config();
    const inService = (name: string) => tunnels.has(name) && this.retired.of(name) === undefined;
    return [
      ...recalled.map((name) => `${path} was lost: ${name} stays retired, because the evidence proves the retirement`),
      ...[...this.#forgotten].flatMap(([name, { at }]) =>
        inService(name)
          ? [
              `the evidence says that ${name} is retired since ${at.toISOString()}, but ${path} does not: ${name} is in service`,
            ]
          : [],
      ),
      ...this.#contradicted.flatMap((name) =>
        inService(name)
          ? [
              `${name} was retired, but its saved cut-over is lost: ${name} is in service, and new clients go through it`,
            ]
          : [],
      ),
    ];
  }

  stop(): void {
    this.#successors.stop();
  }
}

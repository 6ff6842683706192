import type { DiskAt } from '../../base/files/state-disk.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import type { Config } from '../../config/config.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Pulse } from '../../telemetry/pulse.ts';
import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { ProbeCertificateStatus, TunnelStatus } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import { describeCertificate } from '../../tunnels/probe/certificate.ts';
import type { TunnelPulse } from '../evidence/events.ts';
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

  constructor({ stateDir }: { readonly stateDir: string }, deps: RetirementDependencies) {
    this.#deps = deps;
    this.#successors = new Successors(deps);
    this.retired = new RetiredTunnels(retiredFile(stateDir, deps.disk), deps.log);
    this.#verdicts = new Verdicts({ ...deps, successors: this.#successors, retired: this.retired });
  }

  /** Reads the retired tunnels; call before any tunnel starts. Never rejects. */
  async start(): Promise<void> {
    await this.retired.load();
    this.#successors.apply(this.#deps.config().tunnels);
  }

  /** Applies a new configuration. A removed tunnel is no longer retired, in case its name returns. Never rejects. */
  async apply(config: Pick<Config, 'tunnels'>): Promise<void> {
    this.#successors.apply(config.tunnels);
    await this.forgetRemoved(config);
  }

  /** Call only when the configuration runs: a start that fails must forget nothing. Never rejects. */
  async forgetRemoved({ tunnels }: Pick<Config, 'tunnels'>): Promise<void> {
    const gone = this.retired.names.filter((name) => !tunnels.has(name));
    await this.retired.forget(gone);
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
      ...names.map((name) => ({
        code: 'tunnel_retired' as const,
        message: `${name} is retired since ${this.retired.of(name)?.at}; remove the tunnel from the configuration once no client needs its local port`,
      })),
    ];
  }

  stop(): void {
    this.#successors.stop();
  }
}

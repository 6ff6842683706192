import type { Unwritten } from '../../base/files/state-writer.ts';
import type { ActorConfig, Config } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { CredentialStatus } from '../../telemetry/status/status.ts';
import { CommandIssuer } from './issuer.ts';
import { NeedRecord } from './need-record.ts';
import type { CredentialSource } from './offer.ts';
import { Rotator, type RotatorDependencies } from './rotator.ts';

interface RotatorsDependencies extends Pick<RotatorDependencies, 'env' | 'random'> {
  readonly metrics: Pick<Metrics, 'certificateRenewals' | 'forgetActor'>;
  readonly log: Logger;
  readonly note: TakeNote;
  /** Sessions of the actor with a credential of an older version must be replaced. */
  onChange(actor: string, version: number): void;
  /** The next login of the actor may fail. */
  onDoubt(actor: string): void;
}

/** The credentials of every actor that a link uses. */
export class Rotators {
  readonly #deps: RotatorsDependencies;
  readonly #stateDirectory: string;
  readonly #rotators = new Map<string, Rotator>();
  /** The state files of each actor. */
  readonly #files = new Map<string, readonly { readonly unwritten: Unwritten | undefined }[]>();

  /** @param stateDirectory absolute; a change needs a restart */
  constructor(stateDirectory: string, deps: RotatorsDependencies) {
    this.#stateDirectory = stateDirectory;
    this.#deps = deps;
  }

  /** The state files whose newest content is not on the disk. */
  get unwritten(): Unwritten[] {
    return [...this.#files.values()].flat().flatMap(({ unwritten }) => unwritten ?? []);
  }

  /** The actor's credentials; renewal starts with the first use. */
  of(actor: ActorConfig): CredentialSource {
    return this.#of(actor);
  }

  status(actor: ActorConfig): CredentialStatus {
    return this.#of(actor).status();
  }

  /** Rejects with a TunnelError when no new credential is available. */
  rotate(actor: ActorConfig): Promise<void> {
    return this.#of(actor).rotate();
  }

  /** A session of the actor serves with its fallback. */
  noteNeeded(actor: string, at: Date): void {
    this.#rotators.get(actor)?.noteNeeded(at);
  }

  /** Applies a reload. */
  apply({ actors }: Config): void {
    for (const [name, rotator] of this.#rotators) {
      const actor = actors.get(name);
      if (actor) rotator.reconfigure(actor);
    }
  }

  /** Stops the rotators that no link uses any more. */
  async keepOnly(actors: ReadonlySet<string>): Promise<void> {
    const unused = [...this.#rotators].filter(([name]) => !actors.has(name));
    for (const [name] of unused) {
      this.#rotators.delete(name);
      this.#files.delete(name);
    }
    await Promise.all(unused.map(([, rotator]) => rotator.stop()));
    for (const [name] of unused) if (!this.#rotators.has(name)) this.#deps.metrics.forgetActor(name);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#rotators.values()].map((rotator) => rotator.stop()));
  }

  #of(actor: ActorConfig): Rotator {
    const { name } = actor;
    const existing = this.#rotators.get(name);
    if (existing) return existing;
    const { env, metrics, note, random } = this.#deps;
    const log = this.#deps.log.child({ actor: name });
    const record = new NeedRecord(this.#stateDirectory, name, log);
    const issuer = new CommandIssuer(this.#stateDirectory, name, env);
    const rotator: Rotator = new Rotator(actor, {
      issuer,
      record,
      env,
      metrics,
      log,
      note: (happening) => note({ ...happening, actor: name }),
      random,
      onChange: (version) => {
        const credential = rotator.status();
        const { type, fingerprint, serial } = credential;
        const valid_before = credential.valid_before?.toISOString() ?? null;
        note({ event: 'credential.changed', actor: name, type, fingerprint, serial, valid_before });
        this.#deps.onChange(name, version);
      },
      onDoubt: () => this.#deps.onDoubt(name),
    });
    this.#rotators.set(name, rotator);
    this.#files.set(name, [record, issuer]);
    return rotator;
  }
}

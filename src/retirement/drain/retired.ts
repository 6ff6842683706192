import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { TunnelError } from '../../base/errors.ts';
import type { DiskAt } from '../../base/files/state-disk.ts';
import { StateFile } from '../../base/files/state-file.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import type { TunnelConfig } from '../../config/config.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { isElsewhere, placeOf, type TunnelPlace, tunnelPlace } from '../../tunnels/tunnel/sameness.ts';
import type { ProvenRetirement } from '../evidence/standing.ts';

/** When and under which overrides a tunnel was retired. */
const retiredTunnel = z.object({
  at: z.iso.datetime(),
  /** Whether the local port stays open for the successor. */
  keeps_port: z.boolean(),
  /** Blockers that a person has overridden. */
  overrides: z.array(z.object({ code: z.string(), reason: z.string() })),
  /** The tunnel that was retired; missing in files of earlier versions. */
  place: tunnelPlace.optional(),
});
export type RetiredTunnel = z.infer<typeof retiredTunnel>;

const kept = z.object({ version: z.literal(1), tunnels: z.record(z.string(), retiredTunnel) });
type RetiredFile = StateFile<z.infer<typeof kept>>;

type RetiredStore = Pick<RetiredFile, 'path' | 'read' | 'write' | 'keep' | 'unwritten' | 'restore' | 'confirm'>;

const NAME = 'retired.json';

/** Longest wait for a look at the file that may as well come later, in milliseconds. */
const LOOK_MS = 1_000;

/** The file of the retired tunnels in a state directory. */
export function retiredFile(stateDir: string, disk?: DiskAt): RetiredFile {
  return new StateFile([stateDir], NAME, kept, disk?.([stateDir], NAME));
}

/** What the evidence proves, by tunnel. Rejects if the evidence cannot be read. */
export type Proven = () => Promise<ReadonlyMap<string, ProvenRetirement>>;

/**
 * The retired tunnels. The state directory keeps them, so a restart does not bring them back. Without the file the evidence
 * counts.
 */
export class RetiredTunnels {
  readonly #file: RetiredStore;
  readonly #log: Logger;
  readonly #proven: Proven;
  #tunnels = new Map<string, RetiredTunnel>();
  #trouble: string | undefined;
  /** The state directory has no list, and nothing speaks against a new one. */
  #missing = false;
  /** The list was changed, and not yet written. */
  #changed = false;
  /** Retired by the word of the evidence, which does not say whether the port stays open. */
  #unsure = new Set<string>();
  #recalled: readonly string[] = [];

  constructor(file: RetiredStore, log: Logger, proven: Proven = async () => new Map()) {
    this.#file = file;
    this.#log = log;
    this.#proven = proven;
  }

  /** Why the saved list cannot be read; undefined if it was read. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Tunnels that are still retired only because the evidence says so: the saved list was lost. */
  get recalled(): string[] {
    return this.#recalled.filter((name) => this.#tunnels.has(name));
  }

  /** Path of the saved list. */
  get path(): string {
    return this.#file.path;
  }

  /** Since when the saved list is older than this one; undefined while it is the same. */
  get unwritten(): Unwritten | undefined {
    return this.#file.unwritten;
  }

  /** Writes the list again if somebody else has changed or removed the file. Returns the path then. Never rejects. */
  async restoreFile(): Promise<string[]> {
    return (await this.#file.restore()) ? [this.#file.path] : [];
  }

  get names(): string[] {
    return [...this.#tunnels.keys()];
  }

  of(tunnel: string): RetiredTunnel | undefined {
    return this.#tunnels.get(tunnel);
  }

  /**
   * Reads the saved list. Never rejects: without a list the tunnels stay retired whose retirement the evidence proves. All
   * others run, and an advisory says so: a forward too many hurts less than one too few.
   */
  async load(): Promise<void> {
    try {
      const found = await this.#file.read();
      if (found) this.#tunnels = new Map(Object.entries(found.tunnels));
      this.#missing = found === undefined;
      if (!found) await this.#recall().catch((err: unknown) => this.#cannotRecall(err));
    } catch (error) {
      await this.#recall().catch(() => {});
      const others = this.#recalled.length > 0 ? 'all others' : 'all retired tunnels';
      this.#trouble = `cannot read ${this.#file.path}: ${others} run again`;
      this.#log.error({ event: 'retired.unreadable', err: error }, this.#trouble);
    }
  }

  #cannotRecall(err: unknown): void {
    this.#missing = false;
    const message = `${this.#file.path} does not exist, and the evidence cannot be read: retired tunnels run again`;
    this.#log.error({ event: 'retired.not_recalled', err }, message);
  }

  async #recall(): Promise<void> {
    const proven = await this.#proven();
    if (proven.size === 0) return;
    for (const [name, { at, keepsPort, overrides, place }] of proven) {
      const told = { at: at.toISOString(), keeps_port: keepsPort ?? false, overrides: [...overrides] };
      this.#tunnels.set(name, { ...told, ...(place && { place }) });
      if (keepsPort === undefined) this.#unsure.add(name);
    }
    this.#recalled = [...proven.keys()];
    const message = `${this.#file.path} is lost: the evidence proves that these tunnels are retired: ${this.#recalled.join(', ')}`;
    this.#log.warn({ event: 'retired.recalled', tunnels: this.#recalled }, message);
  }

  /**
   * Settles when the entry is on disk. Rejects with `state_dir_unusable`, and then nothing has changed.
   *
   * @param stillStands looks again after the write, which may have taken long: when it rejects, so does this, and the
   * entry is taken back
   */
  async add(tunnel: string, retired: RetiredTunnel, stillStands = async () => {}): Promise<void> {
    await this.#keep(new Map([...this.#tunnels, [tunnel, retired]]), stillStands);
  }

  /** Settles when the saved list is this one, whatever somebody else did to the file. Rejects with `state_dir_unusable`. */
  confirm(): Promise<void> {
    return this.#file.confirm();
  }

  /** Settles and rejects as {@link add}. */
  async remove(tunnels: readonly string[]): Promise<void> {
    if (!tunnels.some((tunnel) => this.#tunnels.has(tunnel))) {
      // No reason to refuse: the daemon writes the file again later.
      await this.#file.restore({ withinMs: LOOK_MS });
      return;
    }
    await this.#keep(new Map([...this.#tunnels].filter(([name]) => !tunnels.includes(name))));
  }

  /** For tunnels that no longer exist: they are forgotten even if the file cannot be written yet. Never rejects. */
  async forget(tunnels: readonly string[]): Promise<void> {
    const gone = tunnels.filter((tunnel) => this.#tunnels.delete(tunnel));
    if (gone.length > 0) await this.#keepAnyway();
  }

  /**
   * Ends the retirement of tunnels whose name belongs to another tunnel now: nobody has decided about that one. Returns
   * their names. {@link keepChanges} writes the list.
   *
   * @param before the tunnels that have run until now, if any
   */
  endWhereOther(tunnels: ReadonlyMap<string, TunnelConfig>, before?: ReadonlyMap<string, TunnelConfig>): string[] {
    return [...this.#tunnels].flatMap(([name, retired]) => {
      const [was, is] = [before?.get(name), tunnels.get(name)];
      const place = retired.place ?? (was && placeOf(was));
      if (!is || !place) return [];
      const now = placeOf(is);
      if (isDeepStrictEqual(place, now)) return [];
      this.#changed = true;
      if (!isOther(retired, place, now)) {
        this.#tunnels.set(name, { ...retired, place: now });
        return [];
      }
      this.#tunnels.delete(name);
      return [name];
    });
  }

  /** Writes the list if {@link endWhereOther} has changed it. Never rejects. */
  async keepChanges(): Promise<void> {
    // A list that cannot be read is not replaced.
    if (this.#changed && this.#trouble === undefined) await this.#keepAnyway();
    this.#changed = false;
  }

  /**
   * Call before any tunnel starts. A tunnel that is retired for a successor, but without a saved commit, returns to service:
   * otherwise its port would lead nowhere. This holds even if the file cannot be written. Returns such tunnels. Never rejects.
   */
  async dropContradicted(cutOver: (tunnel: string) => boolean): Promise<string[]> {
    for (const name of this.#unsure) {
      const retired = this.#tunnels.get(name);
      if (retired) this.#tunnels.set(name, { ...retired, keeps_port: cutOver(name) });
    }
    const wrong = [...this.#tunnels].flatMap(([name, { keeps_port }]) => (keeps_port && !cutOver(name) ? [name] : []));
    for (const tunnel of wrong) {
      this.#tunnels.delete(tunnel);
      const message =
        'the tunnel is retired, but its local port does not lead to the successor: the tunnel is back in service';
      this.#log.error({ event: 'retired.contradicted', tunnel }, message);
    }
    // A missing list is written, so that its loss shows from now on.
    this.#changed ||= this.#missing || wrong.length > 0;
    await this.keepChanges();
    return wrong;
  }

  async #keepAnyway(): Promise<void> {
    await this.#file.keep(contentOf(this.#tunnels)).catch((err: unknown) => {
      this.#log.error({ event: 'retired.not_kept', err }, 'cannot write the list of retired tunnels yet');
    });
  }

  async #keep(tunnels: Map<string, RetiredTunnel>, stillStands = async () => {}): Promise<void> {
    // Writing now would destroy the entries that could not be read.
    if (this.#trouble !== undefined)
      throw new TunnelError('state_dir_unusable', this.#trouble, {
        hint: 'Fix the file or move it away, then restart the daemon.',
      });
    await this.#file.write(contentOf(tunnels));
    try {
      await stillStands();
    } catch (error) {
      await this.#keepAnyway();
      throw error;
    }
    this.#tunnels = tunnels;
  }
}

/** A port that stays with its successor does so while the port or the way behind it is the same. */
function isOther({ keeps_port }: RetiredTunnel, before: TunnelPlace, now: TunnelPlace): boolean {
  return keeps_port ? isElsewhere(before, now) : !isDeepStrictEqual(before, now);
}

function contentOf(tunnels: ReadonlyMap<string, RetiredTunnel>): z.infer<typeof kept> {
  return { version: 1, tunnels: Object.fromEntries(tunnels) };
}

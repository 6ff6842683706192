import { z } from 'zod';
import { TunnelError } from '../../base/errors.ts';
import { StateFile } from '../../base/files/state-file.ts';
import type { Logger } from '../../telemetry/log/log.ts';

/** One tunnel that is out of service for good, and on what grounds. */
const retiredTunnel = z.object({
  at: z.iso.datetime(),
  /** Whether its local port stays open, for its successor. */
  keeps_port: z.boolean(),
  /** Blockers that somebody has taken responsibility for. */
  overrides: z.array(z.object({ code: z.string(), reason: z.string() })),
});
export type RetiredTunnel = z.infer<typeof retiredTunnel>;

const kept = z.object({ version: z.literal(1), tunnels: z.record(z.string(), retiredTunnel) });
type RetiredFile = StateFile<z.infer<typeof kept>>;

/** Where a state directory keeps them. */
export function retiredFile(stateDir: string): RetiredFile {
  return new StateFile([stateDir], 'retired.json', kept);
}

/** The tunnels that are retired, kept in the state directory: a restart does not bring them back. */
export class RetiredTunnels {
  readonly #file: Pick<RetiredFile, 'path' | 'read' | 'write'>;
  readonly #log: Logger;
  #tunnels = new Map<string, RetiredTunnel>();
  #trouble: string | undefined;

  constructor(file: Pick<RetiredFile, 'path' | 'read' | 'write'>, log: Logger) {
    this.#file = file;
    this.#log = log;
  }

  /** Why what was kept is not known; undefined when it is. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  get names(): string[] {
    return [...this.#tunnels.keys()];
  }

  of(tunnel: string): RetiredTunnel | undefined {
    return this.#tunnels.get(tunnel);
  }

  /**
   * Reads what is kept. Never rejects: without it every tunnel runs, since a forward too many hurts less than one too few, and
   * everybody who looks is told.
   */
  async load(): Promise<void> {
    try {
      const found = await this.#file.read();
      if (found) this.#tunnels = new Map(Object.entries(found.tunnels));
    } catch (error) {
      this.#trouble = `cannot read ${this.#file.path}: no tunnel counts as retired`;
      this.#log.error({ event: 'retired.unreadable', err: error }, this.#trouble);
    }
  }

  /** It is on the disk when this settles; rejects with `state_dir_unusable`, and then nothing has changed. */
  async add(tunnel: string, retired: RetiredTunnel): Promise<void> {
    await this.#keep(new Map([...this.#tunnels, [tunnel, retired]]));
  }

  /** As {@link add}. */
  async remove(tunnels: readonly string[]): Promise<void> {
    if (!tunnels.some((tunnel) => this.#tunnels.has(tunnel))) return;
    await this.#keep(new Map([...this.#tunnels].filter(([name]) => !tunnels.includes(name))));
  }

  /**
   * Before any tunnel starts: one that is retired for a successor, but whose cut-over is not on the disk, would hold its clients
   * for nobody. It is back in service, whatever becomes of the file. Never rejects.
   */
  async dropContradicted(cutOver: (tunnel: string) => boolean): Promise<void> {
    const wrong = [...this.#tunnels].filter(([name, { keeps_port }]) => keeps_port && !cutOver(name));
    if (wrong.length === 0) return;
    for (const [tunnel] of wrong) {
      this.#tunnels.delete(tunnel);
      const message = 'the tunnel is retired, but its local port does not lead to the successor: it is back in service';
      this.#log.error({ event: 'retired.contradicted', tunnel }, message);
    }
    await this.#keep(this.#tunnels).catch((err: unknown) => {
      this.#log.error({ event: 'retired.not_kept', err }, 'the list of retired tunnels could not be written');
    });
  }

  async #keep(tunnels: Map<string, RetiredTunnel>): Promise<void> {
    // In the place of what could not be read it would be the last that anybody hears of those before.
    if (this.#trouble !== undefined)
      throw new TunnelError('state_dir_unusable', this.#trouble, {
        hint: 'Fix the file or move it away, then restart the daemon.',
      });
    try {
      await this.#write(tunnels);
    } catch (error) {
      // A disk that answers too late keeps it all the same: after it, it is told what is so.
      void this.#write(this.#tunnels).catch(() => {});
      throw error;
    }
    this.#tunnels = tunnels;
  }

  #write(tunnels: ReadonlyMap<string, RetiredTunnel>): Promise<void> {
    return this.#file.write({ version: 1, tunnels: Object.fromEntries(tunnels) });
  }
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TunnelError } from '../../base/errors.ts';
import { privateDirectory } from '../../base/files/private-directory.ts';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import type { Logger } from '../../telemetry/log/log.ts';

const FILE = 'retired.json';

/** One tunnel that is out of service for good, and on what grounds. */
const retiredTunnel = z.object({
  at: z.iso.datetime(),
  /** Whether its local port stays open, for its successor. */
  keeps_port: z.boolean(),
  /** Blockers that somebody has taken responsibility for. */
  overrides: z.array(z.object({ code: z.string(), reason: z.string() })),
});
export type RetiredTunnel = z.infer<typeof retiredTunnel>;

const file = z.object({ version: z.literal(1), tunnels: z.record(z.string(), retiredTunnel) });

/** The tunnels that are retired, kept in the state directory: a restart does not bring them back. */
export class RetiredTunnels {
  readonly #directory: string;
  readonly #log: Logger;
  #tunnels = new Map<string, RetiredTunnel>();
  #trouble: string | undefined;

  /** @param directory the state directory */
  constructor(directory: string, log: Logger) {
    this.#directory = directory;
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
    const path = join(this.#directory, FILE);
    try {
      const { tunnels } = file.parse(JSON.parse(await readFile(path, 'utf8')));
      this.#tunnels = new Map(Object.entries(tunnels));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      this.#trouble = `${path} cannot be used, so that no tunnel counts as retired`;
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

  async #keep(tunnels: Map<string, RetiredTunnel>): Promise<void> {
    // In the place of what could not be read it would be the last that anybody hears of those before.
    if (this.#trouble !== undefined)
      throw new TunnelError('state_dir_unusable', this.#trouble, {
        hint: 'Mend it, or move it away, and restart the daemon.',
      });
    const directory = await privateDirectory(this.#directory);
    const content = { version: 1, tunnels: Object.fromEntries(tunnels) };
    await writeAtomically(join(directory, FILE), `${JSON.stringify(content, null, 2)}\n`);
    this.#tunnels = tunnels;
  }
}

import { createHash } from 'node:crypto';
import { TunnelError } from '../../base/errors.ts';
import type { HostConfig } from '../../config/config.ts';
import { FileWatch } from '../credential/file-watch.ts';
import { inTime } from '../credential/key-offer.ts';
import type { KnownHost } from '../ssh/host-key/known-hosts.ts';
import { knownHostsFiles } from './prepare.ts';

type KnownAddress = Pick<HostConfig, 'knownHosts' | 'address' | 'port'>;

/**
 * Notices that a known_hosts file says something else about a host than before. Sessions do not feel the change, but the
 * next login may fail. Lines about other hosts do not count: `ssh` adds such lines at any time.
 */
export class TrustWatch {
  readonly #files = new Map<string, FileWatch>();
  /** What the file of each host said at the last look. */
  readonly #said = new Map<string, string>();
  #looking: Promise<unknown> | undefined;

  /** The hosts whose lines changed since the last look; none at the first look at a host. Never rejects; bounded. */
  async look<Host extends KnownAddress>(hosts: readonly Host[]): Promise<ReadonlySet<Host>> {
    await this.#looking;
    const looking = this.#look(hosts);
    this.#looking = looking;
    return looking;
  }

  /** Whether a look goes on, which a file system that hangs makes long. */
  get busy(): boolean {
    return this.#looking !== undefined;
  }

  async #look<Host extends KnownAddress>(hosts: readonly Host[]): Promise<ReadonlySet<Host>> {
    const changed = new Set<Host>();
    try {
      const written = await this.#written(hosts);
      const compare = async (host: Host) => {
        const key = JSON.stringify([host.knownHosts, host.address, host.port]);
        const before = this.#said.get(key);
        if (before !== undefined && !written.has(host.knownHosts)) return;
        const says = await wordsAbout(host);
        this.#said.set(key, says);
        if (before !== undefined && before !== says) changed.add(host);
      };
      await Promise.all(hosts.map(compare));
    } finally {
      this.#looking = undefined;
    }
    return changed;
  }

  /** The files that were written, replaced or lost since the last look. */
  async #written(hosts: readonly KnownAddress[]): Promise<ReadonlySet<string>> {
    const written = new Set<string>();
    for (const path of new Set(hosts.map(({ knownHosts }) => knownHosts))) {
      const watch = this.#files.get(path) ?? new FileWatch(path);
      this.#files.set(path, watch);
      const news = await inTime(path, watch.look()).catch(() => 'same' as const);
      if (news !== 'same') written.add(path);
    }
    return written;
  }
}

/** What known_hosts says about the host, or why it says nothing. */
async function wordsAbout({ knownHosts, address, port }: KnownAddress): Promise<string> {
  try {
    const { lines } = await inTime(knownHosts, knownHostsFiles.find(knownHosts, address, port));
    const { plainKeys, authorities, revoked } = lines;
    const blobs = (entries: readonly KnownHost[]) => entries.map(({ blob }) => blob.toString('base64'));
    const said = JSON.stringify([plainKeys, authorities, revoked].map(blobs));
    return createHash('sha256').update(said).digest('base64');
  } catch (error) {
    return TunnelError.from(error).message;
  }
}

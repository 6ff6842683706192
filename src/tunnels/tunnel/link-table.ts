import { type LinkName, linkKey } from '../../config/way.ts';
import type { Link } from '../link/link.ts';
import type { LinkOptions } from '../link/options.ts';
import type { Tunnel } from './tunnel.ts';

export type LinkSettings = LinkOptions & { readonly jump: Link | undefined };

/** A link that runs, and whose it is. */
export interface Entry extends LinkName {
  readonly link: Link;
  /** What the link was last told. */
  settings: LinkSettings;
}

type Entries = ReadonlyMap<string, Entry>;

export function entryOf(links: Entries, link: Link | undefined): Entry | undefined {
  return [...links.values()].find((entry) => entry.link === link);
}

/** The links that those tunnels go over, unless they are out of service, and those that these run over. */
export function wantedLinks(
  tunnels: Iterable<Pick<Tunnel, 'config' | 'outOfService'>>,
  links: Entries,
): ReadonlySet<Link> {
  const wanted = new Set<Link>();
  for (const { config, outOfService } of tunnels) {
    if (outOfService?.settled) continue;
    for (let entry = links.get(linkKey(config)); entry; entry = entryOf(links, entry.settings.jump))
      wanted.add(entry.link);
  }
  return wanted;
}

/** Ends them all, those that others run over after them: every session is to say goodbye. */
export async function endLinks(
  links: readonly { readonly link: Link; readonly jump: Link | undefined }[],
): Promise<void> {
  for (let left = links; left.length > 0; ) {
    const outermost = left.filter(({ link }) => !left.some(({ jump }) => jump === link));
    await Promise.all(outermost.map(({ link }) => link.stop()));
    left = left.filter((entry) => !outermost.includes(entry));
  }
}

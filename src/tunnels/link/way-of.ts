import type { LinkStatus } from '../../telemetry/status/status.ts';

/** The link itself and the links to its jump hosts, in this order. Pure. */
export function wayOf(link: LinkStatus | undefined, links: readonly LinkStatus[]): LinkStatus[] {
  const way: LinkStatus[] = [];
  for (let next = link; next !== undefined && !way.includes(next); ) {
    way.push(next);
    const { jump } = next;
    next = links.find(({ host }) => host === jump);
  }
  return way;
}

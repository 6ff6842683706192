import type { ActorConfig, Config, HostConfig } from './config.ts';

/** The identity of a link: host and actor. */
export interface LinkName {
  readonly host: string;
  readonly actor: string;
}

/** The link to the jump host; undefined for a direct link. Without its own actor the jump uses the same actor. */
export function jumpOf(host: HostConfig | undefined, actor: string): LinkName | undefined {
  return host?.jump && { host: host.jump.host, actor: host.jump.actor ?? actor };
}

/** The links to (host, actor), from the last hop to the directly dialled host. */
export function wayTo(config: Pick<Config, 'hosts'>, to: LinkName): LinkName[] {
  const way: LinkName[] = [];
  // The checks reject cycles; the bound is a safeguard.
  for (let next: LinkName | undefined = to; next && way.length <= config.hosts.size; ) {
    way.push(next);
    next = jumpOf(config.hosts.get(next.host), next.actor);
  }
  return way;
}

/** Every link that the tunnels need, once each. A jump host comes before the hosts behind it. */
export function linksOf(config: Config): ReadonlyMap<string, LinkName> {
  const links = new Map<string, LinkName>();
  for (const tunnel of config.tunnels.values()) {
    for (const link of wayTo(config, tunnel).reverse())
      links.set(linkKey(link), { host: link.host, actor: link.actor });
  }
  return links;
}

/** Unambiguous, because names have no slash (see `config/schema`). */
export function linkKey({ host, actor }: LinkName): string {
  return `${actor}/${host}`;
}

/** The settings of a link; undefined for an unknown name, which the checks reject. */
export function settingsOf(
  config: Config,
  { host, actor }: LinkName,
): { readonly host: HostConfig; readonly actor: ActorConfig } | undefined {
  const hostConfig = config.hosts.get(host);
  const actorConfig = config.actors.get(actor);
  return hostConfig && actorConfig && { host: hostConfig, actor: actorConfig };
}

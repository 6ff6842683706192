import type { ActorConfig, Config, HostConfig } from './config.ts';

/** What names a link: who goes where. */
export interface LinkName {
  readonly host: string;
  readonly actor: string;
}

/** The link that this one runs through, if it is not direct: a jump without an actor of its own is made as the same one. */
export function jumpOf(host: HostConfig | undefined, actor: string): LinkName | undefined {
  return host?.jump && { host: host.jump.host, actor: host.jump.actor ?? actor };
}

/** The links that a connection to (host, actor) takes, from the last hop to the one that is dialled directly. */
export function wayTo(config: Pick<Config, 'hosts'>, to: LinkName): LinkName[] {
  const way: LinkName[] = [];
  // The checks rule cycles out; this bounds what they might have missed.
  for (let next: LinkName | undefined = to; next && way.length <= config.hosts.size; ) {
    way.push(next);
    next = jumpOf(config.hosts.get(next.host), next.actor);
  }
  return way;
}

/** Every link that the tunnels of a configuration need, jump hosts before those reached through them, each once. */
export function linksOf(config: Config): ReadonlyMap<string, LinkName> {
  const links = new Map<string, LinkName>();
  for (const tunnel of config.tunnels.values()) {
    for (const link of wayTo(config, tunnel).reverse())
      links.set(linkKey(link), { host: link.host, actor: link.actor });
  }
  return links;
}

/** Names have no slash (see `config/schema`), so this is unambiguous. */
export function linkKey({ host, actor }: LinkName): string {
  return `${actor}/${host}`;
}

/** The settings of a link; undefined when a name dangles, which the checks rule out. */
export function settingsOf(
  config: Config,
  { host, actor }: LinkName,
): { readonly host: HostConfig; readonly actor: ActorConfig } | undefined {
  const hostConfig = config.hosts.get(host);
  const actorConfig = config.actors.get(actor);
  return hostConfig && actorConfig && { host: hostConfig, actor: actorConfig };
}

import type { Config } from './config.ts';

/** What a request to the endpoint may call this node, besides loopback. */
export function ownNames({ node, hosts }: Pick<Config, 'node' | 'hosts'>): string[] {
  return [node, hosts.get(node)?.address].filter((name) => name !== undefined);
}

import type { Config } from '../../config/config.ts';
import { type Facts, stateOf } from './facts.ts';
import type { OldUnit, Replacement } from './old-units.ts';
import { socketsFor } from './sockets.ts';
import { SERVICE } from './wanted-files.ts';

/** Ports of tunnels that are in use and that no replaced unit frees. Empty while a daemon runs: it checks its own ports. */
export function takenBySomebody(
  facts: Facts,
  config: Config | undefined,
  replacements: readonly Replacement[],
): string[] {
  if (config === undefined || stateOf(facts, SERVICE).active) return [];
  const freed = new Set(replacements.flatMap(({ old }) => portsOf(old)));
  const { sockets } = socketsFor(config, facts.places.scope);
  const ours = new Set(sockets.filter(({ name }) => stateOf(facts, name).active).map(({ tunnel }) => tunnel));
  // The port may belong to a unit whose command was not understood.
  const lost = facts.oldUnits.filter(({ active }) => active).flatMap(({ unknown }) => unknown);
  const unclear = lost.length === 0 ? '' : `. The forwards of these units are unknown: ${lost.join(' ')}`;
  const listeners = [...config.tunnels.values()].filter(({ direction }) => direction !== 'remote');
  return [{ name: undefined, listen: config.endpoint.listen }, ...listeners].flatMap(({ name, listen }) => {
    if (listen.kind === 'unix' || ours.has(name) || freed.has(listen.port) || !facts.takenPorts.has(listen.port))
      return [];
    const who = name === undefined ? 'the endpoint' : `tunnel ${name}`;
    return [
      `port ${listen.port}, needed by ${who}, is in use by a process that is not an ssh unit of this ${facts.places.scope === 'user' ? 'user' : 'system'}; find it with \`ss -ltnp\`${unclear}`,
    ];
  });
}

export function portsOf({ forwards }: OldUnit): number[] {
  return forwards.flatMap(({ direction, listen }) =>
    direction !== 'remote' && listen.kind === 'tcp' ? [listen.port] : [],
  );
}

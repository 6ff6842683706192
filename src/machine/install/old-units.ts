import type { Config, TunnelConfig } from '../../config/config.ts';
import { first, type SshEntry } from '../import/entry.ts';
import { type Place, parseForward } from '../import/forward.ts';

/** A service in use (active or enabled) that runs ssh with forwards. */
export interface OldUnit {
  readonly unit: string;
  readonly active: boolean;
  readonly enabled: boolean;
  readonly forwards: readonly OldForward[];
  /** Why forwards may be missing, one line each. */
  readonly unknown: readonly string[];
}

export interface OldForward {
  readonly direction: TunnelConfig['direction'];
  readonly listen: Place;
}

/** An old unit with a configured tunnel for each of its forwards. */
export interface Replacement {
  readonly old: OldUnit;
  /** Names of the tunnels with a listener on this node. */
  readonly tunnels: readonly string[];
}

const DIRECTIONS = { localforward: 'local', remoteforward: 'remote', dynamicforward: 'dynamic' } as const;

/** Whether an `ExecStart`, as `systemctl show` prints it, may run ssh or autossh. Pure. */
export function runsSsh(execStart: string): boolean {
  return /(^|[\s/=])(auto)?ssh\s/.test(execStart);
}

/** The forwards of the ssh commands of a unit. Pure. */
export function forwardsOf(entries: readonly Pick<SshEntry, 'options'>[]): OldForward[] {
  return entries.flatMap((entry) =>
    entry.options.flatMap(({ keyword, value }): OldForward[] => {
      if (!Object.hasOwn(DIRECTIONS, keyword) || first(entry, 'clearallforwardings') === 'yes') return [];
      const listen = parseForward(value)?.listen;
      const direction = DIRECTIONS[keyword as keyof typeof DIRECTIONS];
      return listen === undefined ? [] : [{ direction, listen }];
    }),
  );
}

/**
 * The old units that the tunnels replace. A unit with a tunnel for only some of its forwards is a problem: it can neither
 * keep running nor stop. Units without a matching tunnel are left alone. Pure.
 */
export function replacementsFor(
  units: readonly OldUnit[],
  config: Config,
): { replacements: Replacement[]; problems: string[] } {
  const replacements: Replacement[] = [];
  const problems: string[] = [];
  for (const old of units) {
    const taken = old.forwards.map((forward) => ({ forward, tunnel: takerOf(forward, config) }));
    const tunnels = taken.flatMap(({ tunnel }) => (tunnel === undefined ? [] : [tunnel]));
    if (!tunnels.some(({ direction }) => direction !== 'remote')) continue;
    const left = taken.filter(({ tunnel }) => tunnel === undefined).map(({ forward }) => placeText(forward.listen));
    if (left.length === 0) {
      const local = tunnels.filter(({ direction }) => direction !== 'remote').map(({ name }) => name);
      replacements.push({ old, tunnels: [...new Set(local)] });
    } else {
      problems.push(
        `${old.unit} also listens on ${left.join(', ')}, but no tunnel replaces this listener: add a tunnel, or split the unit`,
      );
    }
  }
  return { replacements, problems };
}

/** Compares only the port: during the hand-over a node must not have two listeners on one port. */
function takerOf({ direction, listen }: OldForward, config: Config): TunnelConfig | undefined {
  return [...config.tunnels.values()].find((tunnel) => {
    if ((tunnel.direction === 'remote') !== (direction === 'remote')) return false;
    return listen.kind === 'unix'
      ? tunnel.listen.kind === 'unix' && tunnel.listen.path === listen.path
      : tunnel.listen.kind === 'tcp' && tunnel.listen.port === listen.port;
  });
}

function placeText(place: Place): string {
  return place.kind === 'unix' ? place.path : `port ${place.port}`;
}

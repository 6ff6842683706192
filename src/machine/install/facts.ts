import type { Config } from '../../config/config.ts';
import type { OldUnit } from './old-units.ts';
import type { Places } from './places.ts';
import type { InstallRecord } from './record.ts';
import type { Release } from './release.ts';
import type { NodeTraits } from './wanted-files.ts';

/** What a unit is doing. */
export interface UnitState {
  readonly active: boolean;
  readonly enabled: boolean;
}

/** Everything about a node that decides what an installation has to do. Gathered first, then only read. */
export interface Facts {
  readonly places: Places;
  readonly release: Release;
  readonly traits: NodeTraits;
  /** The node that systemd runs for `ExecStart=node`. */
  readonly node: string;
  readonly user: string;
  /** Whether the user's manager outlives their sessions; undefined where that is no question. */
  readonly lingering: boolean | undefined;
  /** Texts of the files that may be concerned, by path; what is not in there is not there. */
  readonly files: ReadonlyMap<string, string>;
  readonly links: ReadonlyMap<string, string>;
  /** Whether something that is not ours has the place of the program's name. */
  readonly commandTaken: boolean;
  /** Texts of the drop-ins of the daemon's unit that are there already, in systemd's order. */
  readonly dropIns: readonly string[];
  /** Releases on the node, by id. */
  readonly releases: readonly string[];
  readonly record: InstallRecord | undefined;
  /** The configuration that holds: the one that is there, else the given one. */
  readonly config: Config | undefined;
  /** Text of the given one where there is none yet. */
  readonly newConfig: string | undefined;
  /** Our units by name. */
  readonly units: ReadonlyMap<string, UnitState>;
  readonly oldUnits: readonly OldUnit[];
  /** TCP ports of this node that something listens on. */
  readonly takenPorts: ReadonlySet<number>;
}

export function stateOf({ units }: Pick<Facts, 'units'>, unit: string): UnitState {
  return units.get(unit) ?? { active: false, enabled: false };
}

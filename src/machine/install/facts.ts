import type { Config } from '../../config/config.ts';
import type { OldUnit } from './old-units.ts';
import type { Places } from './places.ts';
import type { InstallRecord } from './record.ts';
import type { Release } from './release.ts';
import type { NodeTraits } from './wanted-files.ts';

/** Whether a unit runs now and at boot. */
export interface UnitState {
  readonly active: boolean;
  readonly enabled: boolean;
}

/** Every fact about a node that an installation depends on. Gathered once, then read-only. */
export interface Facts {
  readonly places: Places;
  readonly release: Release;
  readonly traits: NodeTraits;
  /** The node that systemd runs for `ExecStart=node`. */
  readonly node: string;
  readonly user: string;
  /** Whether lingering is on: the user's manager runs without a login. Undefined in the system scope. */
  readonly lingering: boolean | undefined;
  /** Texts of the files that the installation may change, by path. Without files that do not exist. */
  readonly files: ReadonlyMap<string, string>;
  readonly links: ReadonlyMap<string, string>;
  /** Whether another file exists at the path of our command. */
  readonly commandTaken: boolean;
  /** Texts of the existing drop-ins of the daemon's unit, in systemd's order. */
  readonly dropIns: readonly string[];
  /** Releases on the node, by id. */
  readonly releases: readonly string[];
  readonly record: InstallRecord | undefined;
  /** The effective configuration: the installed one, else the given one. */
  readonly config: Config | undefined;
  /** Text of the given configuration if none is installed yet. */
  readonly newConfig: string | undefined;
  /** Our units by name. */
  readonly units: ReadonlyMap<string, UnitState>;
  readonly oldUnits: readonly OldUnit[];
  /** TCP ports of this node with a listener. */
  readonly takenPorts: ReadonlySet<number>;
}

export function stateOf({ units }: Pick<Facts, 'units'>, unit: string): UnitState {
  return units.get(unit) ?? { active: false, enabled: false };
}

import type { Config } from '../../config/config.ts';
import { confinementOf } from './confinement.ts';
import type { Facts } from './facts.ts';
import type { Replacement } from './old-units.ts';
import { type Places, programPath } from './places.ts';
import type { Step } from './step.ts';
import { SERVICE } from './wanted-files.ts';

/** Has a doctor of the release itself, which nothing runs yet, go the ways of the tunnels as the daemon would. Pure. */
export function doctorSteps(
  { places, release, node, dropIns }: Facts,
  { tunnels }: Config,
  skipDoctor: boolean,
  replacements: readonly Replacement[],
): Step[] {
  const bounds = confinementOf([release.units.get(SERVICE) ?? '', ...dropIns]);
  const names = skipDoctor ? replacements.flatMap((each) => each.tunnels) : [undefined];
  if (tunnels.size === 0) return [];
  return names.map((name) => {
    const doctor = ['doctor', '--try-cert-command', '--config', places.config, ...(name === undefined ? [] : [name])];
    return {
      kind: 'command',
      argv: [...transientUnit(places, bounds), node, programPath(places, release.id), ...doctor],
      told: `fleet-mesh ${doctor.join(' ')}`,
      what: "within the bounds of the daemon's unit (systemd-run); touches nothing that runs",
    };
  });
}

/** Runs what follows as a unit of its own, with its streams on ours. */
function transientUnit({ systemctl }: Places, properties: readonly string[]): [string, ...string[]] {
  return [
    ...(['systemd-run', ...systemctl.slice(1)] as [string, ...string[]]),
    ...['--quiet', '--wait', '--pipe', '--collect', '--service-type=exec'],
    ...properties.map((property) => `--property=${property}`),
    '--',
  ];
}

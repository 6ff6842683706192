import type { Config } from '../../config/config.ts';
import { confinementOf } from './confinement.ts';
import type { Facts } from './facts.ts';
import type { Replacement } from './old-units.ts';
import { type Places, programPath } from './places.ts';
import type { Step } from './step.ts';
import { SERVICE } from './wanted-files.ts';

/** The steps that check the tunnels with the doctor of the new release, before the release is used. Pure. */
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
    // The ports belong to the units that the release replaces, or to the daemon itself.
    const flags = ['--try-cert-command', '--no-listen', '--config', places.config];
    const doctor = ['doctor', ...flags, ...(name === undefined ? [] : [name])];
    return {
      kind: 'command',
      argv: [...transientUnit(places, bounds), node, programPath(places, release.id), ...doctor],
      label: `fleet-mesh ${doctor.join(' ')}`,
      comment: "in the sandbox of the daemon's unit (systemd-run); changes no running unit",
    };
  });
}

/** The command line before the program: systemd-run runs it as a separate unit that shares our standard streams. */
function transientUnit({ systemctl }: Places, properties: readonly string[]): [string, ...string[]] {
  return [
    ...(['systemd-run', ...systemctl.slice(1)] as [string, ...string[]]),
    ...['--quiet', '--wait', '--pipe', '--collect', '--service-type=exec'],
    ...properties.map((property) => `--property=${property}`),
    '--',
  ];
}

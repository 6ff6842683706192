import { formatAddress } from '../../base/net/address.ts';
import type { SuccessorConfig, TunnelConfig } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';

/** The steps of a cut-over, in words. Pure. */
export function outline(
  { name, listen, drain }: Pick<TunnelConfig, 'name' | 'listen' | 'drain'>,
  { target, compare, probe, holdMs, verifyForMs }: SuccessorConfig,
  open: number,
): string[] {
  const fields = compare.map((one) => `GET ${one.path} (${one.fields.join(', ')})`);
  const compared = fields.length === 0 ? '; no fields are compared' : `; equal on both sides: ${fields.join('; ')}`;
  return [
    `check: every approval up to step ${drain?.step ?? 'none'}; the successor probe${compared}`,
    `hold: new connections to ${formatAddress(listen)} wait, ${formatDuration(holdMs)} at most; ` +
      `open connections (${open} now) end, or stay on the tunnel`,
    `switch: new connections go to ${formatAddress(target)}`,
    `verify: for ${formatDuration(verifyForMs)}; ${probe.fall} failures in a row roll back automatically`,
    `commit: the port stays with the successor, also after a restart; roll back with \`fleet-mesh rollback ${name}\``,
  ];
}

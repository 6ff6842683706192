import { formatAddress } from '../../base/net/address.ts';
import type { SuccessorConfig, TunnelConfig } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';

/** What a cut-over does, step by step, in words. Pure. */
export function outline(
  { name, listen, drain }: Pick<TunnelConfig, 'name' | 'listen' | 'drain'>,
  { target, compare, probe, holdMs, verifyForMs }: SuccessorConfig,
  open: number,
): string[] {
  const fields = compare.map((one) => `GET ${one.path} (${one.fields.join(', ')})`);
  const compared = fields.length === 0 ? '; nothing is compared' : `; equal on both sides: ${fields.join('; ')}`;
  return [
    `check: every approval on the way to step ${drain?.step ?? 'none'}; the successor's probe${compared}`,
    `hold: new connections to ${formatAddress(listen)} wait, ${formatDuration(holdMs)} at most; ` +
      `the running ones (${open} now) may end, or go on through the tunnel`,
    `switch: new connections go to ${formatAddress(target)}`,
    `verify: for ${formatDuration(verifyForMs)}; ${probe.fall} failures in a row lead back by themselves`,
    `commit: the port stays there, also after a restart; the way back is \`fleet-mesh rollback ${name}\``,
  ];
}

import { printable } from '../../base/text/printable.ts';
import { spanBetween } from '../../base/text/span.ts';
import type { TunnelStatus } from '../../telemetry/status/status.ts';

/** Where the clients of a tunnel go, where there is something to say about it; undefined: through it, as ever. */
export function routeText({ route, cutover }: Pick<TunnelStatus, 'route' | 'cutover'>, now: Date): string | undefined {
  if (!cutover || (cutover.phase === 'idle' && cutover.reason === null && route === 'tunnel')) return undefined;
  const { phase, since, reason, successor, usage } = cutover;
  const where = route === 'tunnel' ? 'through the tunnel' : `to the successor ${printable(successor)}`;
  const use = route === 'tunnel' ? '' : `, ${usage.open} open there`;
  const why = reason === null ? '' : `: ${printable(reason)}`;
  return `new clients go ${where}${use}; cut-over ${phase.replaceAll('_', ' ')} for ${spanBetween(since, now)}${why}`;
}

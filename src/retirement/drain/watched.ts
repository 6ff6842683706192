import type { TunnelConfig } from '../../config/config.ts';
import { isSameTunnel } from '../../tunnels/tunnel/sameness.ts';
import type { TunnelHistory } from '../evidence/history.ts';

/**
 * The history for a verdict on the configured tunnel: none while another tunnel runs under its name. A reload puts the
 * configuration in force before it changes the tunnels, and the disk may take its time in between. Pure.
 */
export function watchedHistory(
  configured: TunnelConfig | undefined,
  running: TunnelConfig | undefined,
  history: TunnelHistory | undefined,
): TunnelHistory | undefined {
  const watched = configured !== undefined && running !== undefined && isSameTunnel(configured, running);
  return watched || history === undefined ? history : { spans: [], lastActivityAt: history.lastActivityAt };
}

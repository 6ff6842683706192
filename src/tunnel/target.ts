import { formatAddress } from '../address.ts';
import { summarizeAllow } from '../allow/summary.ts';
import type { TunnelDestination } from '../config/config.ts';
import type { ErrorCode, TunnelError } from '../errors.ts';

/** Where a tunnel leads, as `/status` shows it: its target, or in short where its clients may go. */
export function targetText(destination: TunnelDestination): string {
  return destination.direction === 'dynamic' ? summarizeAllow(destination.allow) : formatAddress(destination.target);
}

/** The peer's verdict on the target, as opposed to trouble on the way to it. */
const VERDICTS: ReadonlySet<ErrorCode> = new Set(['target_refused', 'target_unreachable', 'forward_denied']);

/**
 * Whether a failed connection is a verdict on the tunnel. A dynamic tunnel has no target that could be down: that one of
 * many destinations does not answer is for its client to know. That the server forbids what our own configuration
 * allows, somebody has to mend.
 */
export function isVerdict(direction: TunnelDestination['direction'], error: TunnelError): boolean {
  return direction === 'dynamic' ? error.code === 'forward_denied' : VERDICTS.has(error.code);
}

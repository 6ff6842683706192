import type { TunnelError } from '../../base/errors.ts';
import { formatAddress } from '../../base/net/address.ts';
import type { TunnelConfig } from '../../config/config.ts';
import type { OwnTunnelStatus, ProbeStatus } from '../../telemetry/status/status.ts';
import type { ForwardCondition } from '../forward/forward.ts';
import { describeCertificate } from '../probe/certificate.ts';
import type { Validity } from '../probe/tls.ts';
import type { TunnelState } from './state.ts';
import { targetText } from './target.ts';

interface DescribedFacts {
  readonly state: TunnelState;
  readonly since: Date;
  readonly condition: ForwardCondition;
  /** Whether new clients go to the successor. */
  readonly detour: boolean;
  /** The last error of the tunnel or its link, for a state without its own error. */
  readonly lastError: TunnelError | undefined;
  readonly probe: ProbeStatus | undefined;
  /** The certificate that the probe saw. */
  readonly validity: Validity | undefined;
  readonly usage: OwnTunnelStatus['usage'];
}

/** A tunnel's own part of the snapshot. Pure. */
export function describeTunnel(config: TunnelConfig, facts: DescribedFacts): OwnTunnelStatus {
  const { name, host, actor, direction, listen, production, note } = config;
  const { condition, lastError, usage } = facts;
  const { state, reason, error } = facts.state;
  return {
    name,
    host,
    actor,
    direction,
    listen: formatAddress(listen),
    listen_by: (condition.kind === 'serving' && condition.listenBy) || null,
    target: targetText(config),
    production,
    note: note ?? null,
    state,
    reason,
    since: facts.since,
    route: facts.detour ? 'successor' : 'tunnel',
    last_error: (error ?? lastError)?.report() ?? null,
    probe: facts.probe ?? null,
    probe_certificate: describeCertificate('target', facts.validity),
    usage,
  };
}

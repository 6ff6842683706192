import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import type { ProbeCheck } from '../../config/config.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { probeBanner } from './banner.ts';
import { probeHttp } from './http.ts';
import { probeTcp } from './tcp.ts';
import { QUOTED_LIMIT } from './through-channel.ts';
import type { TakeValidity } from './tls.ts';

/**
 * Runs one check of a target through the link. Rejects with a TunnelError that describes the failure.
 *
 * @param onValidity called with the certificate of a target that speaks TLS
 */
export function runCheck(
  check: ProbeCheck,
  source: ChannelSource,
  target: Address,
  signal: AbortSignal,
  onValidity: TakeValidity = () => {},
): Promise<void> {
  switch (check.kind) {
    case 'tcp':
      return probeTcp(source, target, check, signal);
    case 'banner':
      return probeBanner(source, target, check, signal);
    case 'http':
    case 'https':
      return probeHttp(source, target, check, signal, onValidity);
  }
}

/** The start of the message after a check timed out. */
function awaited(check: ProbeCheck): string {
  switch (check.kind) {
    case 'tcp':
      return check.expect === undefined
        ? 'the target accepted no connection'
        : `no answer with ${JSON.stringify(printable(check.expect, QUOTED_LIMIT))} came`;
    case 'banner':
      return `no banner ${JSON.stringify(printable(check.prefix, QUOTED_LIMIT))} came`;
    case 'http':
    case 'https':
      return `GET ${printable(check.path, QUOTED_LIMIT)} was not answered`;
  }
}

/** The error of a check that did not end within `ms` milliseconds. */
export function unanswered(check: ProbeCheck, ms: number): TunnelError {
  return new TunnelError('target_unreachable', `${awaited(check)} within ${ms / 1000} s`, {
    hint: 'Either the target service hangs, or the link stalls. If other tunnels of the host fail too, check the link.',
  });
}

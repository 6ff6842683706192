import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import type { ProbeCheck } from '../../config/config.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { probeBanner } from './banner.ts';
import { probeHttp } from './http.ts';
import { QUOTED_LIMIT, throughChannel } from './through-channel.ts';

/** An open channel proves the target: the server confirms only after it has connected (RFC 4254 section 7.2). */
async function probeTcp(source: ChannelSource, target: Address, signal: AbortSignal): Promise<void> {
  await throughChannel(source, target, signal, async () => {});
}

/** Runs one check of a target through the link. Rejects with a TunnelError that describes the failure. */
export function runCheck(
  check: ProbeCheck,
  source: ChannelSource,
  target: Address,
  signal: AbortSignal,
): Promise<void> {
  switch (check.kind) {
    case 'tcp':
      return probeTcp(source, target, signal);
    case 'banner':
      return probeBanner(source, target, check, signal);
    case 'http':
      return probeHttp(source, target, check, signal);
  }
}

/** The start of the message after a check timed out. */
function awaited(check: ProbeCheck): string {
  switch (check.kind) {
    case 'tcp':
      return 'the target accepted no connection';
    case 'banner':
      return `no banner ${JSON.stringify(printable(check.prefix, QUOTED_LIMIT))} came`;
    case 'http':
      return `GET ${printable(check.path, QUOTED_LIMIT)} was not answered`;
  }
}

/** The error of a check that did not end within `ms` milliseconds. */
export function unanswered(check: ProbeCheck, ms: number): TunnelError {
  return new TunnelError('target_unreachable', `${awaited(check)} within ${ms / 1000} s`, {
    hint: 'Either the target service hangs, or the link stalls. If other tunnels of the host fail too, check the link.',
  });
}

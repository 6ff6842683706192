import { TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import type { ProbeCheck } from '../../config/config.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { probeBanner } from './banner.ts';
import { probeHttp } from './http.ts';
import { QUOTED_LIMIT, throughChannel } from './through-channel.ts';

/** An opened channel proves the connection: the server answers only once it has connected (RFC 4254 section 7.2). */
async function probeTcp(source: ChannelSource, target: Address, signal: AbortSignal): Promise<void> {
  await throughChannel(source, target, signal, async () => {});
}

/** Runs one check of a target through the link; throws the TunnelError that says what was wrong. */
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

/** What the check waited for in vain. */
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

/** The error of a check that was not done within `ms` milliseconds. */
export function unanswered(check: ProbeCheck, ms: number): TunnelError {
  return new TunnelError('target_unreachable', `${awaited(check)} within ${ms / 1000} s`, {
    hint: 'The service behind the tunnel hangs, or the link stalls: compare with other tunnels of the same host.',
  });
}

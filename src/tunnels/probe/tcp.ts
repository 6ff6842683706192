import type { Address } from '../../base/net/address.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { throughChannel } from './through-channel.ts';

/** An opened channel proves the connection: the server answers only once it has connected (RFC 4254 section 7.2). */
export async function probeTcp(source: ChannelSource, target: Address, signal: AbortSignal): Promise<void> {
  await throughChannel(source, target, signal, async () => {});
}

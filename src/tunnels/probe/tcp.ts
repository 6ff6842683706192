import type { Duplex } from 'node:stream';
import type { Address } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import type { ProbeCheck } from '../../config/config.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { QUOTED_LIMIT, throughChannel, wrongAnswer } from './through-channel.ts';

export type TcpCheck = Extract<ProbeCheck, { kind: 'tcp' }>;

/** So much of an answer is searched, in bytes. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** Settles as soon as the answer contains the text; keeps at most {@link MAX_ANSWER_BYTES}. */
function expectText(stream: Duplex, expected: Buffer, over: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const wanted = JSON.stringify(printable(expected.toString(), QUOTED_LIMIT));
    let seen: Buffer = Buffer.alloc(0);
    const came = () =>
      seen.length === 0 ? 'without an answer' : `after ${JSON.stringify(printable(seen.toString(), QUOTED_LIMIT))}`;
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk.subarray(0, MAX_ANSWER_BYTES - seen.length)]);
      if (seen.includes(expected)) resolve();
      else if (seen.length === MAX_ANSWER_BYTES)
        reject(wrongAnswer(`the first ${MAX_ANSWER_BYTES / 1024} KiB of the answer do not contain ${wanted}`));
    };
    const onEnd = () =>
      reject(wrongAnswer(`the target closed the connection ${came()}, expected an answer that contains ${wanted}`));
    stream.on('data', onData).on('end', onEnd).on('close', onEnd);
    const release = () => stream.off('data', onData).off('end', onEnd).off('close', onEnd);
    over.addEventListener('abort', release, { once: true });
  });
}

/**
 * Checks that the target accepts a connection, and answers as expected. Without `send` and `expect`, the open channel is
 * the proof: the server confirms only after it has connected (RFC 4254 section 7.2).
 */
export async function probeTcp(
  source: ChannelSource,
  target: Address,
  { send, expect }: TcpCheck,
  signal: AbortSignal,
): Promise<void> {
  await throughChannel(source, target, signal, async (stream, over) => {
    const sent = send !== undefined && new Promise((resolve) => stream.write(send, resolve));
    if (expect !== undefined) await expectText(stream, Buffer.from(expect), over());
    else await sent;
  });
}

import type { Duplex } from 'node:stream';
import type { Address } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import type { ProbeCheck } from '../../config/config.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { QUOTED_LIMIT, throughChannel, wrongAnswer } from './through-channel.ts';

export type BannerCheck = Extract<ProbeCheck, { kind: 'banner' }>;

/** Settles as soon as the first bytes match or differ from the prefix; keeps no further bytes. */
function expectPrefix(stream: Duplex, prefix: Buffer, over: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const expected = JSON.stringify(printable(prefix.toString(), QUOTED_LIMIT));
    let seen: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      const room = prefix.length - seen.length;
      seen = Buffer.concat([seen, chunk.subarray(0, room)]);
      if (!prefix.subarray(0, seen.length).equals(seen)) {
        // The message quotes more of the chunk than the prefix's length.
        const came = Buffer.concat([seen, chunk.subarray(room, room + 80)]).toString();
        reject(
          wrongAnswer(
            `the banner is ${JSON.stringify(printable(came, QUOTED_LIMIT))}, expected it to start with ${expected}`,
          ),
        );
      } else if (seen.length === prefix.length) {
        resolve();
      }
    };
    const onEnd = () => {
      const after =
        seen.length === 0 ? 'without a banner' : `after ${JSON.stringify(printable(seen.toString(), QUOTED_LIMIT))}`;
      reject(wrongAnswer(`the target closed the connection ${after}, expected a banner that starts with ${expected}`));
    };
    stream.on('data', onData).on('end', onEnd).on('close', onEnd);
    const release = () => stream.off('data', onData).off('end', onEnd).off('close', onEnd);
    over.addEventListener('abort', release, { once: true });
  });
}

/** Checks that the target speaks first and starts with the prefix, as SSH, SMTP and IMAP servers do. */
export async function probeBanner(
  source: ChannelSource,
  target: Address,
  check: BannerCheck,
  signal: AbortSignal,
): Promise<void> {
  const prefix = Buffer.from(check.prefix);
  await throughChannel(source, target, signal, (stream, over) => expectPrefix(stream, prefix, over()));
}

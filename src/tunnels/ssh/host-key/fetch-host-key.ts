import { withDeadline } from '../../../base/async/deadline.ts';
import { TunnelError } from '../../../base/errors.ts';
import { explainHandshake, type HandshakeStep } from '../handshake.ts';
import { exchangeInit, kexInit, MESSAGE, parseExchangeReply, parseKexInit } from '../key-exchange-start.ts';
import { PlainReader, plainPacket } from '../plain-packets.ts';
import type { Transport } from '../transport.ts';
import { WireError } from '../wire.ts';

/** A software version has no hyphen (RFC 4253 section 4.2). */
const IDENTIFICATION = 'SSH-2.0-fleet_mesh\r\n';

export interface FetchOptions {
  /** As shown in errors. */
  readonly peer: string;
  /** Bound of the whole, in milliseconds. */
  readonly timeoutMs: number;
  /** Is told of each step as it begins. */
  readonly onStep?: (step: HandshakeStep) => void;
}

/**
 * The host key, or host certificate, that a server presents for one of the algorithms; nobody has proved to have its
 * private half. The connection goes no further than the server's half of the key exchange, and is gone afterwards.
 * Undefined when the server has none of the algorithms. Rejects with a TunnelError that names the step, or with the
 * signal's reason.
 */
export async function fetchHostKey(
  transport: Transport,
  algorithms: readonly string[],
  options: FetchOptions,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const { peer, timeoutMs, onStep = () => {} } = options;
  const reader = new PlainReader(transport);
  let step: HandshakeStep = 'banner';
  let timedOut = false;
  const explained = (error: unknown) =>
    explainHandshake({
      step,
      peer,
      timedOut,
      stepTimeoutMs: timeoutMs,
      hostKey: undefined,
      // As ssh2 labels what is wrong with the exchange itself.
      error: error instanceof WireError ? Object.assign(error, { level: 'handshake' }) : undefined,
      greeting: reader.greeting,
      username: '',
      offered: '',
      ifRejected: undefined,
    });
  const expired = () => {
    timedOut = true;
    return new Error('no answer in time');
  };
  // It may fail again on its way out.
  transport.on('error', () => {});
  onStep(step);
  try {
    return await withDeadline(timeoutMs, signal, expired, async (bounded) => {
      bounded.addEventListener('abort', () => transport.destroy());
      transport.write(IDENTIFICATION);
      transport.write(plainPacket(kexInit(algorithms)));
      await reader.identification();
      step = 'kex';
      onStep(step);
      const server = parseKexInit(await next(reader, MESSAGE.kexInit, peer));
      if (!algorithms.some((each) => server.hostKeys.includes(each))) return undefined;
      const init = exchangeInit(server);
      if (init === undefined) throw new TunnelError('kex_failed', `${peer} shares no key exchange with us`);
      transport.write(plainPacket(init));
      return parseExchangeReply(await next(reader, MESSAGE.exchangeReply, peer));
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof TunnelError ? error : explained(error);
  } finally {
    transport.destroy();
  }
}

/** Skips what may come at any time: SSH_MSG_IGNORE, SSH_MSG_DEBUG (RFC 4253 section 11). */
async function next(reader: PlainReader, wanted: number, peer: string): Promise<Buffer> {
  for (;;) {
    const payload = await reader.packet();
    if (payload[0] === wanted) return payload;
    if (payload[0] === MESSAGE.disconnect)
      throw new TunnelError('connection_reset', `${peer} ended the connection during the key exchange`);
  }
}

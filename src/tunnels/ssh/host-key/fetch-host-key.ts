import { withDeadline } from '../../../base/async/deadline.ts';
import { TunnelError } from '../../../base/errors.ts';
import { disagreement } from '../disagreement.ts';
import { MOST_LOGIN_BYTES } from '../guard/peer-guard.ts';
import { explainHandshake, type HandshakeStep } from '../handshake.ts';
import { EXCHANGE_NAMES, exchangeInit, kexInit, parseExchangeReply, parseKexInit } from '../key-exchange-start.ts';
import { MESSAGE } from '../message.ts';
import { PlainReader, plainPacket } from '../plain-packets.ts';
import type { Transport } from '../transport.ts';
import { WireError } from '../wire.ts';

/** A software version has no hyphen (RFC 4253 section 4.2). */
const IDENTIFICATION = 'SSH-2.0-fleet_mesh\r\n';

export interface FetchOptions {
  /** Name of the host in errors. */
  readonly peer: string;
  /** Bound of the whole fetch, in milliseconds. */
  readonly timeoutMs: number;
  /** Called at the start of each step. */
  readonly onStep?: (step: HandshakeStep) => void;
}

/**
 * The host key or host certificate that a server presents for one of the algorithms. The server has not proved that it
 * has the private key: the connection ends after the server's half of the key exchange. Undefined when the server has
 * none of the algorithms. Rejects with a TunnelError that names the step, or with the signal's reason.
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
      // ssh2's label for errors of the exchange itself.
      error: error instanceof WireError ? Object.assign(error, { level: 'handshake' }) : undefined,
      greeting: reader.greeting,
      username: '',
      offered: '',
      ifRejected: undefined,
      answer: {},
      disagreement: undefined,
    });
  const expired = () => {
    timedOut = true;
    return new Error('no answer in time');
  };
  /** Skips messages that may come at any time: SSH_MSG_IGNORE, SSH_MSG_DEBUG (RFC 4253 section 11). */
  const next = async (wanted: number): Promise<Buffer> => {
    for (;;) {
      const payload = await reader.packet();
      if (payload[0] === wanted) return payload;
      if (payload[0] === MESSAGE.disconnect)
        throw new TunnelError('connection_reset', `${peer} ended the connection during the key exchange`);
      if (transport.bytesRead > MOST_LOGIN_BYTES)
        throw new TunnelError('protocol_error', `${peer} floods the key exchange with data`);
    }
  };
  // The transport may fail again while it is destroyed.
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
      const server = parseKexInit(await next(MESSAGE.kexInit));
      if (!algorithms.some((each) => server.hostKeys.includes(each))) return undefined;
      const init = exchangeInit(server);
      if (init === undefined)
        throw new TunnelError(
          'kex_failed',
          `key exchange with ${peer} failed: ${disagreement(server, { kex: EXCHANGE_NAMES })}`,
        );
      transport.write(plainPacket(init));
      return parseExchangeReply(await next(MESSAGE.exchangeReply));
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof TunnelError ? error : explained(error);
  } finally {
    transport.destroy();
  }
}

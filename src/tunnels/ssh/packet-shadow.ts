import type { Client } from 'ssh2';
import type { TunnelError } from '../../base/errors.ts';
import { packetWriter, unsupported } from './ssh2-insides.ts';

function wrongRequest(reason: string): TunnelError {
  return unsupported(`certificate login: ${reason}; nothing was sent`);
}

/**
 * Runs `send`, in which ssh2 builds and sends one packet, and replaces the packet `built` with `wanted`. Overrides the
 * writer's `finalize` only during the call. If ssh2 already builds `wanted`, the packet stays unchanged. Throws
 * `internal`, and sends nothing, for any other packet or for none.
 */
export function sendInstead(client: Client, built: Buffer, wanted: Buffer, send: () => void): void {
  const writer = packetWriter(client);
  const { finalize } = writer;
  let sent = 0;
  const covered = (packet: Buffer, ...rest: unknown[]): unknown => {
    if (sent > 0) throw wrongRequest('ssh2 sent more than one packet');
    const payload = packet.subarray(writer.allocStart);
    const learnt = startsWith(payload, wanted);
    if (!learnt && !startsWith(payload, built)) throw wrongRequest('ssh2 built an unexpected request');
    sent++;
    if (learnt) return finalize.call(writer, packet, ...rest);
    const replacement = writer.alloc(wanted.length);
    replacement.set(wanted, writer.allocStart);
    return finalize.call(writer, replacement, ...rest);
  };
  Object.defineProperty(writer, 'finalize', { configurable: true, value: covered });
  try {
    send();
  } finally {
    Reflect.deleteProperty(writer, 'finalize');
  }
  if (sent === 0) throw wrongRequest('ssh2 built no signed request');
}

/** Padding follows the payload. */
function startsWith(payload: Buffer, expected: Buffer): boolean {
  return payload.subarray(0, expected.length).equals(expected);
}

import type { Client } from 'ssh2';
import { TunnelError } from '../../base/errors.ts';

/** The part of ssh2 1.17.0 that frames outgoing packets; not public, hence checked before each use. */
interface PacketWriter {
  /** Where the payload starts in what `alloc` returns. */
  allocStart: number;
  alloc(payloadBytes: number): Buffer;
  finalize(packet: Buffer, ...rest: unknown[]): unknown;
}

/** `internal`: another version of ssh2 than the one that this was written against. */
function unsupported(reason: string): TunnelError {
  return new TunnelError('internal', `certificate login: ${reason}; nothing was sent`, {
    hint: 'This build of fleet-mesh works with ssh2 1.17.0 only: install it as released, and report this.',
  });
}

/** Throws `internal` when the client has no packet writer as we know it. */
export function packetWriter(client: Client): PacketWriter {
  const { _protocol: protocol } = client as unknown as {
    _protocol?: { _packetRW?: { write?: Partial<PacketWriter> } };
  };
  const writer = protocol?._packetRW?.write;
  const known =
    typeof writer?.alloc === 'function' &&
    typeof writer.finalize === 'function' &&
    typeof writer.allocStart === 'number' &&
    !Object.hasOwn(writer, 'finalize');
  if (!known) throw unsupported('the insides of ssh2 are not the known ones');
  return writer as PacketWriter;
}

/**
 * Runs `send`, in which ssh2 builds and sends one packet, and has it send `wanted` in place of `built`. Only for the
 * length of that call is the writer's `finalize` covered. The packet must be one of the two to the byte: if it is `wanted`
 * already, ssh2 has learnt it and is left alone; if it is anything else, or there is none, this throws `internal`, and
 * no packet leaves.
 */
export function sendInstead(client: Client, built: Buffer, wanted: Buffer, send: () => void): void {
  const writer = packetWriter(client);
  const { finalize } = writer;
  let sent = 0;
  const covered = (packet: Buffer, ...rest: unknown[]): unknown => {
    if (sent > 0) throw unsupported('ssh2 sends more than one packet');
    const payload = packet.subarray(writer.allocStart);
    const learnt = startsWith(payload, wanted);
    if (!learnt && !startsWith(payload, built)) throw unsupported('ssh2 built another request than expected');
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
  if (sent === 0) throw unsupported('ssh2 built no signed request');
}

/** After the payload stands padding. */
function startsWith(payload: Buffer, expected: Buffer): boolean {
  return payload.subarray(0, expected.length).equals(expected);
}

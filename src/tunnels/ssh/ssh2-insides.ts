import type { Client, ClientChannel } from 'ssh2';
import { TunnelError } from '../../base/errors.ts';

// The parts of ssh2 1.17.0 that are not public and that nothing public can replace. The version is pinned, and each part is
// checked before each use: with another version there is an error, and no wrong packet.

/** Frames outgoing packets. */
interface PacketWriter {
  /** Where the payload starts in what `alloc` returns. */
  allocStart: number;
  alloc(payloadBytes: number): Buffer;
  finalize(packet: Buffer, ...rest: unknown[]): unknown;
}

/** `internal`: ssh2 is not the version that this was written against. */
export function unsupported(message: string): TunnelError {
  return new TunnelError('internal', message, {
    hint: 'This build of fleet-mesh works with ssh2 1.17.0 only: install it as released, and report this.',
  });
}

/** What frames the client's packets, for a login with a certificate. Throws `internal`, also when somebody covers it. */
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
  if (!known) throw unsupported('certificate login: the insides of ssh2 are not the known ones; nothing was sent');
  return writer as PacketWriter;
}

/**
 * Sends a `keepalive@openssh.com` global request and calls back with its reply, whatever it says. ssh2 sends it only
 * from its own keepalive, which takes other traffic for silence. Throws `internal`.
 */
export function requestKeepalive(client: Client, onReply: () => void): void {
  const { _callbacks: callbacks, _protocol: protocol } = client as unknown as {
    _callbacks?: (() => void)[];
    _protocol?: { ping?(): void };
  };
  if (!Array.isArray(callbacks) || typeof protocol?.ping !== 'function')
    throw unsupported('this version of ssh2 is not supported');
  // Replies to global requests come in the order of the requests (RFC 4254 section 4): one queue, one entry each.
  callbacks.push(onReply);
  protocol.ping();
}

/** Whether the peer's SSH_MSG_CHANNEL_EOF has arrived. No where ssh2 does not tell: a cut must not pass for an end. */
export function hasEnded(stream: ClientChannel): boolean {
  const { incoming } = stream as unknown as { incoming?: { state?: string } };
  return incoming?.state === 'eof' || incoming?.state === 'closed';
}

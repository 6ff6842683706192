import type { Client, ClientChannel } from 'ssh2';
import { TunnelError } from '../../base/errors.ts';

// Private parts of ssh2 1.17.0 that no public part can replace. The version is pinned, and each part is checked before
// each use: another version causes an error, not a wrong packet.

/** Frames outgoing packets. */
interface PacketWriter {
  /** Offset of the payload in the result of `alloc`. */
  allocStart: number;
  alloc(payloadBytes: number): Buffer;
  finalize(packet: Buffer, ...rest: unknown[]): unknown;
}

/** The error `internal` for an unexpected version of ssh2. */
export function unsupported(message: string): TunnelError {
  return new TunnelError('internal', message, {
    hint: 'This build of fleet-mesh needs ssh2 1.17.0. Install the released build again. If the error stays, report it.',
  });
}

/** The packet writer of a client, for a login with a certificate. Throws `internal`, also when `finalize` is overridden. */
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
  if (!known) throw unsupported('certificate login: this version of ssh2 is not supported; nothing was sent');
  return writer as PacketWriter;
}

/**
 * Sends a `keepalive@openssh.com` global request and calls back at any reply. ssh2 itself sends this request only in its
 * own keepalive, which counts other traffic as silence. Throws `internal`.
 */
export function requestKeepalive(client: Client, onReply: () => void): void {
  const { _callbacks: callbacks, _protocol: protocol } = client as unknown as {
    _callbacks?: (() => void)[];
    _protocol?: { ping?(): void };
  };
  if (!Array.isArray(callbacks) || typeof protocol?.ping !== 'function')
    throw unsupported('this version of ssh2 is not supported');
  // Replies to global requests come in the order of the requests (RFC 4254 section 4): one queue entry for each request.
  callbacks.push(onReply);
  protocol.ping();
}

/** Starts a key exchange (RFC 4253 section 9); without effect during another one. Throws `internal`. */
export function requestRekey(client: Client): void {
  const { _protocol: protocol } = client as unknown as { _protocol?: { rekey?(): void } };
  if (typeof protocol?.rekey !== 'function') throw unsupported('this version of ssh2 is not supported');
  protocol.rekey();
}

/** Whether the peer's SSH_MSG_CHANNEL_EOF has arrived. False if ssh2 does not report it: a lost stream must not look finished. */
export function hasEnded(stream: ClientChannel): boolean {
  const { incoming } = stream as unknown as { incoming?: { state?: string } };
  return incoming?.state === 'eof' || incoming?.state === 'closed';
}

/** Where a client connects: a loopback port or a Unix socket, and the bytes exchanged first. */
export interface Entrance {
  readonly at: { readonly port: number } | { readonly path: string };
  /** The bytes that a client sends and receives before its own: a SOCKS handshake. */
  readonly preface?: { readonly said: Buffer; readonly heard: Buffer };
}

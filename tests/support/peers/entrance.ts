/** Where a client gets in: a port of loopback or a Unix socket, and what is said there before anything else. */
export interface Entrance {
  readonly at: { readonly port: number } | { readonly path: string };
  /** What a client sends before its own words, and hears before those of the target: a SOCKS handshake. */
  readonly preface?: { readonly said: Buffer; readonly heard: Buffer };
}

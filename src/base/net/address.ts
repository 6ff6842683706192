/** An address to listen on or to connect to: a TCP endpoint, or a Unix domain socket. */
export type Address = TcpAddress | UnixAddress;

export interface TcpAddress {
  readonly kind: 'tcp';
  /** A name, an IPv4 or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
}

/** Longest sun_path of a Unix socket on Linux without the final NUL, in bytes (unix(7)): connect(2) takes no longer one. */
export const LONGEST_SOCKET_PATH = 107;

/** As written in the YAML: `host:port`, `[v6]:port` or `unix:/path`. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The reverse of {@link formatAddress}; undefined if the text is no address. */
export function parseAddress(text: string): Address | undefined {
  if (text.startsWith('unix:')) return text.startsWith('unix:/') ? { kind: 'unix', path: text.slice(5) } : undefined;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= 65_535 ? { kind: 'tcp', host, port } : undefined;
}

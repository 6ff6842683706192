import { formatAddress, parseAddress, type TcpAddress } from '../../base/net/address.ts';
import { reachableHost } from '../../base/net/host.ts';

/** How a command finds the daemon's endpoint. */
export interface EndpointOptions {
  /** URL or host:port of the daemon's endpoint. */
  readonly endpoint?: string | undefined;
  /** Configuration file that names the endpoint, if `endpoint` is not given. */
  readonly config?: string | undefined;
  /** Reads the endpoint from a configuration file. Undefined, or a rejection, for an unreadable file. */
  readonly endpointOf?: ((configPath: string) => Promise<TcpAddress | undefined> | TcpAddress | undefined) | undefined;
}

const DEFAULT_ENDPOINT: TcpAddress = { kind: 'tcp', host: '127.0.0.1', port: 9780 };

export const UNREACHABLE_HINT =
  'Is the daemon running (`systemctl status fleet-mesh`)? For another address use --endpoint or --config.';

/** The endpoint to use; undefined for an invalid `endpoint`. `warn` gets whole lines. */
export async function findEndpoint(
  options: EndpointOptions,
  warn: (text: string) => void,
): Promise<TcpAddress | undefined> {
  if (options.endpoint !== undefined) return parseEndpoint(options.endpoint);
  if (options.config === undefined || options.endpointOf === undefined) return DEFAULT_ENDPOINT;
  const configured = await configuredEndpoint(options.config, options.endpointOf);
  if (configured !== undefined) return reachable(configured);
  warn(`fleet-mesh: cannot read the endpoint from ${options.config}; trying ${formatAddress(DEFAULT_ENDPOINT)}\n`);
  return DEFAULT_ENDPOINT;
}

export function notAnEndpoint({ endpoint }: EndpointOptions): string {
  return `fleet-mesh: "${endpoint}" is not an endpoint: give host:port or http://host:port\n`;
}

async function configuredEndpoint(path: string, endpointOf: NonNullable<EndpointOptions['endpointOf']>) {
  try {
    return await endpointOf(path);
  } catch {
    return undefined;
  }
}

/** The address to connect to for a wildcard listener. */
function reachable(listen: TcpAddress): TcpAddress {
  return { ...listen, host: reachableHost(listen.host) };
}

/** `http://host[:port][/]`, `host:port` or `[v6]:port`; undefined for anything else. */
function parseEndpoint(text: string): TcpAddress | undefined {
  if (!text.includes('://')) {
    const address = parseAddress(text);
    return address?.kind === 'tcp' && address.port > 0 ? address : undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'http:' || url.hostname === '') return undefined;
  return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 80 : Number(url.port) };
}

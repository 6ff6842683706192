import { formatAddress, parseAddress, type TcpAddress } from '../../base/net/address.ts';

/** Where a command looks for the daemon's endpoint. */
export interface EndpointOptions {
  /** URL or host:port of the daemon's endpoint. */
  readonly endpoint?: string | undefined;
  /** Configuration file whose endpoint is asked when `endpoint` is not given. */
  readonly config?: string | undefined;
  /** The endpoint that a configuration file names; undefined, or a rejection, when it cannot be read. */
  readonly endpointOf?: ((configPath: string) => Promise<TcpAddress | undefined> | TcpAddress | undefined) | undefined;
}

const DEFAULT_ENDPOINT: TcpAddress = { kind: 'tcp', host: '127.0.0.1', port: 9780 };

export const UNREACHABLE_HINT =
  'Is the daemon running (`systemctl status fleet-mesh`)? Another address: --endpoint or --config.';

/** The endpoint to ask; undefined when the one that was given is none. `warn` gets whole lines. */
export async function findEndpoint(
  options: EndpointOptions,
  warn: (text: string) => void,
): Promise<TcpAddress | undefined> {
  if (options.endpoint !== undefined) return parseEndpoint(options.endpoint);
  if (options.config === undefined || options.endpointOf === undefined) return DEFAULT_ENDPOINT;
  const configured = await configuredEndpoint(options.config, options.endpointOf);
  if (configured !== undefined) return reachable(configured);
  warn(`fleet-mesh: no endpoint can be read from ${options.config}: asking ${formatAddress(DEFAULT_ENDPOINT)}\n`);
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

/** Where one connects to for what listens on every address. */
function reachable(listen: TcpAddress): TcpAddress {
  if (listen.host === '0.0.0.0') return { ...listen, host: '127.0.0.1' };
  return listen.host === '::' ? { ...listen, host: '::1' } : listen;
}

/** `http://host[:port][/]`, `host:port` or `[v6]:port`; undefined when it is none of them. */
function parseEndpoint(text: string): TcpAddress | undefined {
  if (!text.includes('://')) {
    const address = parseAddress(text);
    return address?.kind === 'tcp' && address.port > 0 ? address : undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'http:' || url.hostname === '') return undefined;
  return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 80 : Number(url.port) };
}

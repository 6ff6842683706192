import { existsSync } from 'node:fs';
import { formatAddress, parseAddress, type TcpAddress } from '../../base/net/address.ts';
import { connect } from '../../base/net/connect.ts';
import { reachableHost } from '../../base/net/host.ts';
import { printable } from '../../base/text/printable.ts';

/** How a command finds the daemon's endpoint. */
export interface EndpointOptions {
  /** URL or host:port of the daemon's endpoint. */
  readonly endpoint?: string | undefined;
  /** Configuration file that names the endpoint, if `endpoint` is not given. */
  readonly config?: string | undefined;
  /** Reads the endpoint from a configuration file. Undefined, or a rejection, for an unreadable file. */
  readonly endpointOf?: ((configPath: string) => Promise<TcpAddress | undefined> | TcpAddress | undefined) | undefined;
  /** The endpoint, host:port, of the daemon that runs with this configuration file; undefined if none runs. */
  readonly runningOn?: ((configPath: string) => Promise<string | undefined>) | undefined;
}

/** A listener on this machine accepts at once. */
const LOOK_MS = 500;

const DEFAULT_ENDPOINT: TcpAddress = { kind: 'tcp', host: '127.0.0.1', port: 9780 };

export const UNREACHABLE_HINT =
  'Is the daemon running (`systemctl status fleet-mesh`)? Start one with `fleet-mesh run`. For another address use --endpoint or --config.';

/**
 * The endpoint to use: from the option, else where the daemon of the file says, else from the file. The address in the
 * file may be edited and not yet reloaded, and another daemon may listen there. Undefined for an invalid `endpoint`.
 * `warn` gets whole lines.
 */
export async function findEndpoint(
  options: EndpointOptions,
  warn: (text: string) => void,
): Promise<TcpAddress | undefined> {
  const { endpoint, config, endpointOf } = options;
  if (endpoint !== undefined) return parseEndpoint(endpoint);
  if (config === undefined || endpointOf === undefined) return DEFAULT_ENDPOINT;
  const configured = await configuredEndpoint(config, endpointOf);
  const running = parseAddress((await options.runningOn?.(config)) ?? '');
  const isOther = running?.kind === 'tcp' && (configured === undefined || !isSame(running, configured));
  if (isOther && (configured === undefined || (await isListening(reachable(running))))) return reachable(running);
  if (configured !== undefined) return reachable(configured);
  const why = existsSync(config)
    ? `cannot read the endpoint from ${printable(config)}`
    : `${printable(config)} does not exist (\`fleet-mesh add\` makes the first file)`;
  warn(`fleet-mesh: ${why}; trying ${formatAddress(DEFAULT_ENDPOINT)}\n`);
  return DEFAULT_ENDPOINT;
}

function isSame(a: TcpAddress, b: TcpAddress): boolean {
  return formatAddress(a) === formatAddress(b);
}

async function isListening({ host, port }: TcpAddress): Promise<boolean> {
  const options = {
    to: { host, port },
    timeoutMs: LOOK_MS,
    explain: (error: Error) => error,
    expired: () => new Error('no answer'),
  };
  return connect(options, new AbortController().signal).then(
    (socket) => {
      socket.on('error', () => {}).destroy();
      return true;
    },
    () => false,
  );
}

export function notAnEndpoint({ endpoint }: EndpointOptions): string {
  return `fleet-mesh: "${printable(endpoint ?? '')}" is not an endpoint: give host:port or http://host:port\n`;
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

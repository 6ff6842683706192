import { parseAddress, type TcpAddress } from '../../base/net/address.ts';

/** `http://host[:port][/]`, `host:port` or `[v6]:port`; undefined when it is none of them. */
export function parseEndpoint(text: string): TcpAddress | undefined {
  if (!text.includes('://')) {
    const address = parseAddress(text);
    return address?.kind === 'tcp' && address.port > 0 ? address : undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'http:' || url.hostname === '') return undefined;
  return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 80 : Number(url.port) };
}

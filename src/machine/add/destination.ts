/** A place to log in, as on the command line of ssh: `[user@]host[:port]`. */
export interface Destination {
  readonly user: string | undefined;
  /** A name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number | undefined;
}

/** Undefined for any other text. An IPv6 address with a port needs brackets, as in ssh. */
export function parseDestination(text: string): Destination | undefined {
  const form =
    /^(?:ssh:\/\/)?(?:([^\s@:/-][^\s@:/]*)@)?(?:\[([0-9A-Fa-f:.]+)\]|([^\s@:/[\]-][^\s@:/[\]]*))(?::(\d{1,5}))?\/?$/;
  const [matched, user, bracketed, plain, digits] = form.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (matched === undefined || host === undefined) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  return port === undefined || (port >= 1 && port <= 65_535) ? { user, host, port } : undefined;
}

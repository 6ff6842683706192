/** One end of a forward, as ssh(1) writes it: a port with or without an address, or a socket. */
export type Place =
  | { readonly kind: 'tcp'; readonly host: string | undefined; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface ForwardSpec {
  readonly listen: Place;
  /** Undefined: each client chooses its target (SOCKS). */
  readonly target: Place | undefined;
}

/**
 * Parses `[bind_address:]port:host:hostport` and the other forms of ssh(1) -L, -R and -D. Also accepts a blank for the
 * middle colon, as in ssh_config(5). Undefined for any other text.
 */
export function parseForward(text: string): ForwardSpec | undefined {
  const fields = fieldsOf(text);
  if (fields === undefined) return undefined;
  for (const size of [1, 2]) {
    const listen = placeOf(fields.slice(0, size));
    const rest = fields.slice(size);
    if (listen === undefined) continue;
    if (rest.length === 0) return { listen, target: undefined };
    const target = placeOf(rest);
    if (target !== undefined && (target.kind === 'unix' || target.host !== undefined)) return { listen, target };
  }
  return undefined;
}

/** One field is a port or a socket. Two fields are an address (or empty, or `*`) and a port. */
function placeOf(fields: readonly string[]): Place | undefined {
  const [first = '', second] = fields;
  if (fields.length === 1) {
    if (first.startsWith('/')) return { kind: 'unix', path: first };
    return portOf(first, undefined);
  }
  return fields.length === 2 && second !== undefined && !first.startsWith('/') ? portOf(second, first) : undefined;
}

function portOf(text: string, host: string | undefined): Place | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? { kind: 'tcp', host, port } : undefined;
}

/** Splits at colons and blanks; `[…]` is one field. */
function fieldsOf(text: string): string[] | undefined {
  const fields: string[] = [];
  let rest = text.trim();
  for (;;) {
    const [taken, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:\s[\]]*))/.exec(rest) ?? [''];
    fields.push(bracketed ?? plain ?? '');
    rest = rest.slice(taken.length);
    if (rest === '') return fields;
    const [separator] = /^(?::|\s+)/.exec(rest) ?? [];
    if (separator === undefined) return undefined;
    rest = rest.slice(separator.length);
  }
}

import type { Remark } from './entry.ts';
import type { KeepaliveDraft } from './keepalive.ts';

/** The content of a future tunnels.yaml: translated settings, and remarks on the others. */
export interface Draft {
  readonly node: string;
  readonly hosts: ReadonlyMap<string, HostDraft>;
  readonly actors: ReadonlyMap<string, ActorDraft>;
  readonly tunnels: ReadonlyMap<string, TunnelDraft>;
  /** Comments for the top of the file. */
  readonly remarks: readonly Remark[];
}

/** Keys and their order as in the YAML; undefined values are left out. */
export interface HostDraft {
  readonly address: string;
  readonly port: number | undefined;
  readonly user: string;
  readonly known_hosts: string | undefined;
  readonly keepalive: KeepaliveDraft | undefined;
  readonly connect_timeout: string | undefined;
  /** The hop before the host; with an actor if another key logs in there. */
  readonly jump: string | { readonly host: string; readonly actor: string } | undefined;
}

export interface ActorDraft {
  readonly key: string;
  readonly cert_command?: string | readonly string[] | undefined;
}

export interface TunnelDraft {
  readonly host: string;
  readonly actor: string;
  readonly direction: 'local' | 'remote' | 'dynamic';
  readonly listen: string;
  readonly allow_remote?: true | undefined;
  readonly target: string | undefined;
  readonly allow: readonly string[] | undefined;
  readonly note: string | undefined;
}

/** Turns any text into a name that `fleet-mesh check` accepts: "Foo Bar" becomes foo-bar. */
export function nameOf(text: string, fallback: string): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  return plain.replace(/^[^a-z0-9]+/, '').slice(0, 60) || fallback;
}

/** Adds the value under the name, or under name-2, name-3 … if another value has that name. Adds an equal value only once. */
export function add<Value>(into: Map<string, Value>, name: string, value: Value): string {
  const same = (other: Value | undefined) => JSON.stringify(other) === JSON.stringify(value);
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (into.has(candidate) && !same(into.get(candidate))) continue;
    into.set(candidate, value);
    return candidate;
  }
}

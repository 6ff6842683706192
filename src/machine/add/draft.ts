import { isDeepStrictEqual } from 'node:util';
import { didYouMean } from '../../base/text/closest.ts';
import type { ActorConfig, Config, HostConfig } from '../../config/config.ts';
import type { NewEntry } from '../../config/insert-entry.ts';
import { NAME_EXPECTED, NAME_PATTERN } from '../../config/schema/scalars.ts';
import { nameOf, type TunnelDraft } from '../import/draft.ts';
import { parseForward } from '../import/forward.ts';
import { wayOf } from '../import/way.ts';
import { entryFlow, entryLines } from '../import/yaml-text.ts';
import { type Destination, parseDestination } from './destination.ts';

/** The arguments of `fleet-mesh add`, as written. */
export interface AddRequest {
  readonly name: string;
  readonly direction: TunnelDraft['direction'];
  /** As after `ssh -L`, `-R` or `-D`. */
  readonly forward: string;
  /** `[user@]host[:port]`, or the name of a host in the file. */
  readonly destination: string;
  /** One destination, or several with commas, from the first hop. */
  readonly jump: string | undefined;
  /** Path of the key as it goes into the file, or `agent`. */
  readonly key: string | undefined;
  /** The name of an actor in the file. */
  readonly actor: string | undefined;
  readonly production: boolean;
  /** For -D: other machines may use the listener. */
  readonly allowRemote: boolean;
  readonly probe: boolean;
  readonly note: string | undefined;
}

/** What the command knows about the user that runs it. */
export interface AddContext {
  readonly user: string;
  readonly home: string;
  /** The key that ssh would use; undefined without one. */
  readonly usualKey: string | undefined;
  /** The file of host keys as it goes into the YAML; undefined: the default. */
  readonly knownHosts: string | undefined;
}

/** The entries for the file, in the order of their use. Empty: the tunnel is in the file already. */
export interface Additions {
  readonly entries: readonly NewEntry[];
  readonly tunnel: { readonly name: string; readonly host: string; readonly actor: string; readonly listen: string };
}

/** The arguments cannot become a tunnel; the message is one sentence. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

/** The file has another tunnel of this name. */
export class NameTaken extends Error {
  override readonly name = 'NameTaken';
}

/**
 * The entries that a new tunnel needs: hosts and actors of the file are used again if they fit. Pure. Throws
 * {@link BadRequest}.
 *
 * @param written the value of the YAML, to recognise a tunnel that is in the file already
 */
export function draftTunnel(request: AddRequest, config: Config, written: unknown, context: AddContext): Additions {
  const { name, direction } = request;
  if (!NAME_PATTERN.test(name)) throw new BadRequest(`"${name}" is not ${NAME_EXPECTED}`);
  const spec = parseForward(request.forward);
  const way = spec && wayOf(direction, spec, false);
  if (!way) throw new BadRequest(`"${request.forward}" is not a forward; expected ${FORMS[direction]}`);
  const drafting = new Drafting(config, context);
  const host = drafting.way(request.destination, request.jump);
  const actor = drafting.actor(request, host);
  const isProbed = request.probe && direction === 'local' && way.target?.startsWith('unix:') === false;
  const fields = kept({
    host,
    actor,
    direction: direction === 'local' ? undefined : direction,
    ...way,
    // An open proxy needs a word of its own: an address is typed too easily.
    allow_remote: request.allowRemote ? way.allow_remote : undefined,
    production: request.production || undefined,
    note: request.note,
    probe: isProbed ? { tcp: {} } : undefined,
  });
  const tunnel = { name, host, actor, listen: way.listen };
  const before = tunnelIn(written, name);
  if (before === undefined) return { entries: [...drafting.entries, entry('tunnels', name, fields)], tunnel };
  if (isDeepStrictEqual({ ...before }, fields)) return { entries: [], tunnel };
  throw new NameTaken(
    `tunnel ${name} is in the file already, with other settings; edit the file, or choose another name`,
  );
}

const FORMS: Readonly<Record<TunnelDraft['direction'], string>> = {
  local: '-L [ADDRESS:]PORT:HOST:PORT with ports from 1 to 65535, as in -L 8000:db:5432',
  remote: '-R [ADDRESS:]PORT:HOST:PORT with ports from 1 to 65535, as in -R 8000:127.0.0.1:3000',
  dynamic: '-D [ADDRESS:]PORT with a port from 1 to 65535, as in -D 1080',
};

class Drafting {
  readonly entries: NewEntry[] = [];
  readonly #config: Config;
  readonly #context: AddContext;
  readonly #hosts: Map<string, Pick<HostConfig, 'address' | 'port' | 'user'> & { jump: string | undefined }>;

  constructor(config: Config, context: AddContext) {
    this.#config = config;
    this.#context = context;
    this.#hosts = new Map([...config.hosts].map(([name, host]) => [name, { ...host, jump: host.jump?.host }]));
  }

  /** The name of the host behind all jumps. */
  way(destination: string, jumps: string | undefined): string {
    let before: string | undefined;
    for (const hop of jumps?.split(',') ?? []) before = this.#host(hop, before);
    return this.#host(destination, before);
  }

  #host(written: string, jump: string | undefined): string {
    const destination = parseDestination(written);
    if (destination === undefined)
      throw new BadRequest(
        `"${written}" is not a destination; expected [user@]host[:port] with a port from 1 to 65535, IPv6 as [::1]:22`,
      );
    const known = this.#known(destination, jump);
    if (known !== undefined) return known;
    const { user = this.#context.user, host: address, port = 22 } = destination;
    const name = freeName(nameOf(address.replaceAll(':', '-'), 'host'), this.#hosts);
    this.#hosts.set(name, { address, port, user, jump });
    const fields = { address, port: port === 22 ? undefined : port, user, known_hosts: this.#knownHosts(), jump };
    this.entries.push(entry('hosts', name, kept(fields)));
    return name;
  }

  /** A host of this name, or with these settings. */
  #known({ user, host, port }: Destination, jump: string | undefined): string | undefined {
    const named = this.#hosts.get(host);
    const fits = (has: unknown, wanted: unknown) => wanted === undefined || has === wanted;
    if (named?.user !== undefined && fits(named.user, user) && fits(named.port, port) && fits(named.jump, jump))
      return host;
    const found = [...this.#hosts].find(
      ([, each]) =>
        each.address === host &&
        each.port === (port ?? 22) &&
        each.user === (user ?? this.#context.user) &&
        each.jump === jump,
    );
    return found?.[0];
  }

  /** The file that all other hosts use, if this is not the default. */
  #knownHosts(): string | undefined {
    const files = [...this.#config.hosts.values()].flatMap((host) =>
      host.user === undefined ? [] : [host.knownHosts],
    );
    const [file] = new Set(files).size === 1 ? files : [];
    if (file === undefined) return this.#context.knownHosts;
    return file === `${this.#context.home}/.ssh/known_hosts` ? undefined : file;
  }

  actor({ actor, key }: AddRequest, host: string): string {
    const { actors, tunnels } = this.#config;
    if (actor !== undefined) {
      if (actors.has(actor)) return actor;
      const known = [...actors.keys()];
      throw new BadRequest(
        `there is no actor "${actor}"; actors: ${known.join(', ') || 'none'}${didYouMean(actor, known)}`,
      );
    }
    if (key !== undefined) return this.#withKey(key);
    const there = new Set([...tunnels.values()].flatMap((tunnel) => (tunnel.host === host ? [tunnel.actor] : [])));
    for (const names of [[...there], [...actors.keys()]])
      if (names.length === 1 && names[0] !== undefined) return names[0];
    if (this.#context.usualKey !== undefined) return this.#withKey(this.#context.usualKey);
    throw new BadRequest('no key is known: give -i KEY, or --actor NAME of the file');
  }

  #withKey(key: string): string {
    const path = key.startsWith('~/') ? `${this.#context.home}${key.slice(1)}` : key;
    const uses = ({ key: source, certCommand }: ActorConfig) =>
      certCommand === undefined && (source.kind === 'agent' ? key === 'agent' : source.path === path);
    const known = [...this.#config.actors.values()].find(uses);
    if (known) return known.name;
    const name = freeName(nameOf(key.split('/').at(-1) ?? '', 'key'), this.#config.actors);
    this.entries.push(entry('actors', name, { key }));
    return name;
  }
}

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!taken.has(candidate)) return candidate;
  }
}

function entry(section: NewEntry['section'], name: string, fields: Record<string, unknown>): NewEntry {
  return { section, name, fields, lines: entryLines(name, fields), flow: entryFlow(name, fields) };
}

function kept(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function tunnelIn(data: unknown, name: string): object | undefined {
  const { tunnels } = (data ?? {}) as { tunnels?: Record<string, unknown> };
  const found = tunnels && Object.hasOwn(tunnels, name) ? tunnels[name] : undefined;
  return typeof found === 'object' && found !== null ? found : undefined;
}

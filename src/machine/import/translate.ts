import { parseAddress } from '../../base/net/address.ts';
import { isBeyondLoopback } from '../../base/net/host.ts';
import type { ActorDraft, Draft, HostDraft, TunnelDraft } from './draft.ts';
import { add, nameOf } from './draft.ts';
import type { SshEntry } from './entry.ts';
import { type ForwardSpec, type Place, parseForward } from './forward.ts';
import { remarksOn } from './keywords.ts';

const DIRECTIONS = { localforward: 'local', remoteforward: 'remote', dynamicforward: 'dynamic' } as const;

/** Any target, as with `ssh -D`. */
const ANYWHERE = ['*:*', '0.0.0.0/0:*', '[::/0]:*'];

/**
 * Translates settings of ssh into tunnels. A setting that cannot be translated becomes a remark. Pure.
 *
 * @param jumps known settings of jump hosts, by name
 */
export function translate(
  entries: readonly SshEntry[],
  hostname: string,
  jumps: ReadonlyMap<string, SshEntry> = new Map(),
): Draft {
  const translation = new Translation(jumps);
  for (const entry of entries) translation.take(entry);
  return translation.draft(hostname);
}

class Translation {
  readonly #jumps: ReadonlyMap<string, SshEntry>;
  readonly #hosts = new Map<string, HostDraft>();
  readonly #actors = new Map<string, ActorDraft>();
  readonly #tunnels = new Map<string, TunnelDraft>();
  readonly #remarks: string[] = [];

  constructor(jumps: ReadonlyMap<string, SshEntry>) {
    this.#jumps = jumps;
  }

  take(entry: SshEntry): void {
    const remark = (text: string) => this.#remarks.push(`${entry.source}: ${text}`);
    for (const text of [...entry.remarks, ...remarksOn(entry.options)]) remark(text);
    const host = this.#host(entry, remark, 0);
    const actor = this.#actor(entry, remark);
    const forwards = entry.options.flatMap(({ keyword, value }) => {
      const direction = Object.hasOwn(DIRECTIONS, keyword) ? DIRECTIONS[keyword as keyof typeof DIRECTIONS] : undefined;
      return direction === undefined ? [] : [{ direction, keyword, value, spec: parseForward(value) }];
    });
    if (forwards.length === 0) remark('no forward found: the result has a host but no tunnel');
    for (const { direction, keyword, value, spec } of forwards) {
      const way = spec && this.#way(direction, spec, entry);
      if (!way) {
        const anywhere = /\[socks\]:0$/.test(value) || (direction === 'remote' && spec?.target === undefined);
        remark(`not translated: ${keyword}=${value}${anywhere ? ': a remote listener with free destinations' : ''}`);
        continue;
      }
      const taken = this.#holderOf(direction, host, way.listen);
      if (taken !== undefined) {
        remark(`not translated: ${keyword}=${value}: tunnel ${taken} already listens on ${way.listen}`);
        continue;
      }
      if (direction === 'dynamic')
        remark(`${way.listen} reaches every destination, as ssh -D does: restrict its allow`);
      const label = forwards.length === 1 ? entry.label : `${entry.label}-${portOf(spec.listen) ?? direction}`;
      add(this.#tunnels, nameOf(label, 'tunnel'), { host, actor, direction, ...way, note: noteOf(entry.note) });
    }
  }

  draft(hostname: string): Draft {
    const node = add(this.#hosts, nameOf(hostname.split('.')[0] ?? '', 'this-node'), {
      address: '127.0.0.1',
      port: undefined,
      user: '',
      known_hosts: undefined,
      keepalive: undefined,
      connect_timeout: undefined,
      jump: undefined,
    });
    return { node, hosts: this.#hosts, actors: this.#actors, tunnels: this.#tunnels, remarks: this.#remarks };
  }

  #host(entry: SshEntry, remark: (text: string) => void, depth: number): string {
    const say = depth === 0 ? remark : () => {};
    const address = first(entry, 'hostname')?.replace(/%h/g, entry.destination) ?? entry.destination;
    const interval = Number(first(entry, 'serveraliveinterval') ?? 0);
    const lost = Number(first(entry, 'serveralivecountmax') ?? 3);
    const timeout = Number(first(entry, 'connecttimeout') ?? 0);
    const port = Number(first(entry, 'port') ?? 22);
    return add(this.#hosts, nameOf(entry.destination.replaceAll(':', '-'), 'host'), {
      address,
      port: port === 22 ? undefined : port,
      user: first(entry, 'user') ?? '',
      known_hosts: this.#knownHosts(entry, say),
      keepalive:
        interval > 0 ? { every: seconds(interval, 300), lost_after: lost === 3 ? undefined : lost } : undefined,
      connect_timeout: timeout > 0 ? seconds(timeout, 300) : undefined,
      jump: this.#jump(entry, remark, depth),
    });
  }

  /** ProxyJump lists all hops from the first; in the YAML each host names the hop before it. */
  #jump(entry: SshEntry, remark: (text: string) => void, depth: number): string | undefined {
    const written = first(entry, 'proxyjump');
    if (written === undefined || written === 'none' || depth > 8) return undefined;
    const hops = written.split(',');
    const last = hops.at(-1) ?? '';
    const [, user, host = '', port] = /^(?:ssh:\/\/)?(?:([^@]+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?\/?$/.exec(last) ?? [];
    if (host === '') {
      remark(`not translated: proxyjump=${written}`);
      return undefined;
    }
    const destination = host.replace(/^\[|\]$/g, '');
    const known = this.#jumps.get(destination);
    if (!known)
      remark(`the jump host ${destination}: the same key is used there; ssh_config was not read for this host`);
    const options = [
      ...(user === undefined ? [] : [{ keyword: 'user', value: user }]),
      ...(port === undefined ? [] : [{ keyword: 'port', value: port }]),
      ...(hops.length > 1 ? [{ keyword: 'proxyjump', value: hops.slice(0, -1).join(',') }] : []),
      ...(known?.options ?? [{ keyword: 'user', value: first(entry, 'user') ?? '' }]),
    ];
    return this.#host({ ...entry, destination, options }, remark, depth + 1);
  }

  #knownHosts(entry: SshEntry, remark: (text: string) => void): string | undefined {
    const [file, ...more] = words(first(entry, 'userknownhostsfile') ?? '');
    if (more.length > 0) remark(`not translated: more than one known_hosts file: ${more.join(' ')}`);
    if (file !== '/dev/null' && file !== 'none') return file && homePath(file);
    remark(`userknownhostsfile=${file}: fleet-mesh needs known host keys; ~/.ssh/known_hosts is used`);
    return undefined;
  }

  #actor(entry: SshEntry, remark: (text: string) => void): string {
    const [file, ...more] = entry.options.flatMap(({ keyword, value }) => (keyword === 'identityfile' ? [value] : []));
    if (more.length > 0)
      remark(`not translated: more identity files; fleet-mesh uses one per actor: ${more.join(' ')}`);
    if (file === undefined || file === 'none') {
      remark('no identity file is named: ssh tries several, fleet-mesh uses one. Check the key');
      return add(this.#actors, 'default', { key: '~/.ssh/id_ed25519' });
    }
    const key = homePath(file);
    if (/%[^d]/.test(file)) remark(`identityfile=${file}: tokens are not expanded; write the path`);
    return add(this.#actors, nameOf(key.split('/').at(-1) ?? '', 'key'), { key });
  }

  #way(direction: TunnelDraft['direction'], spec: ForwardSpec, entry: SshEntry) {
    const open = direction !== 'remote' && first(entry, 'gatewayports') === 'yes';
    const listen = addressOf(spec.listen, open ? '0.0.0.0' : '127.0.0.1');
    if (direction === 'dynamic') {
      const address = parseAddress(listen);
      const allowRemote = address !== undefined && isBeyondLoopback(address) ? (true as const) : undefined;
      return spec.target ? undefined : { listen, allow_remote: allowRemote, target: undefined, allow: ANYWHERE };
    }
    return spec.target && { listen, target: addressOf(spec.target, '127.0.0.1'), allow: undefined };
  }

  /** The tunnel that already listens on this port of the same machine, on any address. */
  #holderOf(direction: TunnelDraft['direction'], host: string, listen: string): string | undefined {
    const place = (side: TunnelDraft['direction'], on: string, at: string) =>
      `${side === 'remote' ? on : ''} ${at.startsWith('unix:') ? at : at.slice(at.lastIndexOf(':'))}`;
    const wanted = place(direction, host, listen);
    return [...this.#tunnels].find(([, tunnel]) => place(tunnel.direction, tunnel.host, tunnel.listen) === wanted)?.[0];
  }
}

function first({ options }: SshEntry, keyword: string): string | undefined {
  return options.find((option) => option.keyword === keyword)?.value;
}

/** ssh_config(5): an empty bind address and `*` mean every interface, a missing one means loopback. */
function addressOf(place: Place, unnamed: string): string {
  if (place.kind === 'unix') return `unix:${place.path}`;
  const host = place.host === undefined ? unnamed : place.host === '' || place.host === '*' ? '0.0.0.0' : place.host;
  const named = host === 'localhost' ? '127.0.0.1' : host;
  return named.includes(':') ? `[${named}]:${place.port}` : `${named}:${place.port}`;
}

function portOf(place: Place): number | undefined {
  return place.kind === 'tcp' ? place.port : undefined;
}

/** Replaces `%d`, the home of the user (ssh_config(5), TOKENS). */
function homePath(path: string): string {
  return path.replace(/^%d(?=\/)/, '~');
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

function seconds(value: number, most: number): string {
  return `${Math.min(most, Math.max(1, Math.round(value)))}s`;
}

function noteOf(text: string | undefined): string | undefined {
  const line = text
    ?.replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 1_000);
  return line === '' ? undefined : line;
}

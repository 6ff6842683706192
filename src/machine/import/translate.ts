import { homeHint, isInHome } from '../../base/files/permission-hint.ts';
import { checkCommands } from '../../config/check/commands.ts';
import { checkListeners } from '../../config/check/listeners.ts';
import { actor as actorSchema } from '../../config/schema/actor.ts';
import { host as hostSchema } from '../../config/schema/host.ts';
import { tunnel as tunnelSchema } from '../../config/schema/tunnel.ts';
import type { ActorDraft, Draft, HostDraft, TunnelDraft } from './draft.ts';
import { add, nameOf } from './draft.ts';
import { first, loss, note, type Remark, type SshEntry } from './entry.ts';
import { type Place, parseForward } from './forward.ts';
import { type Hop, hopsOf } from './hops.ts';
import { connectTimeoutOf, keepaliveOf, parseSeconds } from './keepalive.ts';
import { remarksOn } from './keywords.ts';
import { expandTokens, type TokenValues } from './tokens.ts';
import { wayOf } from './way.ts';

const DIRECTIONS = { localforward: 'local', remoteforward: 'remote', dynamicforward: 'dynamic' } as const;

/** More hops than anybody has; also ends a circle of jump hosts. */
const MOST_HOPS = 8;

/** The directories of the future file are unknown, and no fault depends on them. */
const ANY_PLACES = { home: '/', base: '/', credentials: '/', runtime: undefined, state: '/' };

type Say = (remark: Remark) => void;

/**
 * Translates settings of ssh into tunnels that `fleet-mesh check` accepts. A setting that cannot be translated becomes a
 * remark. Pure.
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
  readonly #remarks: Remark[] = [];

  constructor(jumps: ReadonlyMap<string, SshEntry>) {
    this.#jumps = jumps;
  }

  take(entry: SshEntry): void {
    const say: Say = ({ text, lost }) => this.#say({ text: `${entry.source}: ${text}`, lost });
    for (const remark of [...entry.remarks, ...remarksOn(entry)]) say(remark);
    const cleared = first(entry, 'clearallforwardings')?.toLowerCase() === 'yes';
    const forwards = entry.options.flatMap(({ keyword, value }) => {
      const direction = Object.hasOwn(DIRECTIONS, keyword) ? DIRECTIONS[keyword as keyof typeof DIRECTIONS] : undefined;
      return direction === undefined || cleared
        ? []
        : [
            {
              direction,
              keyword,
              value,
              spec: parseForward(value.includes('/') ? (expandTokens(value, tokensOf(entry)) ?? '') : value),
            },
          ];
    });
    if (forwards.length === 0) {
      say(loss(`${cleared ? 'ClearAllForwardings=yes removes every forward' : 'No forward was found'}: no tunnel.`));
    }
    const actor = this.#actor(entry, say);
    const host = actor === undefined ? undefined : this.#host(entry, actor, say, 0);
    if (host === undefined || actor === undefined) return;
    for (const { direction, keyword, value, spec } of forwards) {
      const open = direction !== 'remote' && /^(yes|true)$/i.test(first(entry, 'gatewayports') ?? '');
      const way = spec && wayOf(direction, spec, open);
      if (!way) {
        const anywhere = /\[socks\]:0$/.test(value) || (direction === 'remote' && spec && spec.target === undefined);
        const why = anywhere ? ': fleet-mesh has no SOCKS listener on a host' : '';
        say(loss(`The forward ${keyword}=${value} is not translated${why}.`));
        continue;
      }
      const label = forwards.length === 1 ? entry.label : `${entry.label}-${portOf(spec.listen) ?? direction}`;
      const tunnel: TunnelDraft = { host, actor, direction, ...way, note: noteOf(entry.note) };
      const twin = [...this.#tunnels.values()].some((other) => sameWay(other, tunnel));
      const fault = twin ? undefined : this.#faultOf(tunnel);
      if (fault !== undefined) say(loss(`The forward ${keyword}=${value} is not translated: ${fault}.`));
      if (twin) say(note(`The forward ${keyword}=${value} is there twice; one tunnel replaces both.`));
      if (fault !== undefined || twin) continue;
      if (way.listen.startsWith('0.0.0.0:') && !/\b0\.0\.0\.0\b/.test(value))
        say(note(`ssh listens for ${way.listen} on every address of IPv6 too. A tunnel here listens on IPv4 only.`));
      if (direction === 'dynamic')
        say(note(`${way.listen} reaches every destination, as ssh -D does. Restrict the list \`allow\`.`));
      add(this.#tunnels, nameOf(label, 'tunnel'), tunnel);
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

  #say(remark: Remark): void {
    if (!this.#remarks.some(({ text }) => text === remark.text)) this.#remarks.push(remark);
  }

  /** Undefined, and a loss: the YAML cannot express the host. */
  #host(entry: SshEntry, actor: string, say: Say, depth: number): string | undefined {
    const address = addressOfHost(entry);
    const port = Number(first(entry, 'port') ?? 22);
    const alias = first(entry, 'hostkeyalias');
    if (alias !== undefined && (alias !== address || port !== 22))
      say(
        loss(`HostKeyAlias=${alias} is not translated: fleet-mesh looks up the host key of ${address} port ${port}.`),
      );
    const jump = this.#jump(entry, actor, say, depth);
    if (jump === false) return undefined;
    const user = first(entry, 'user');
    if (user === undefined)
      say(
        note(`No login user is named for ${entry.destination}: ssh takes ${entry.localUser}, the user who runs ssh.`),
      );
    const draft: HostDraft = {
      address,
      port: port === 22 ? undefined : port,
      user: user ?? entry.localUser,
      known_hosts: this.#knownHosts(entry, say),
      keepalive: keepalive(entry, say),
      connect_timeout: connectTimeout(entry, say),
      jump,
    };
    const issue = hostSchema.safeParse(draft).error?.issues[0];
    if (issue === undefined) return add(this.#hosts, nameOf(entry.destination.replaceAll(':', '-'), 'host'), draft);
    // A text before the "@" may contain a password.
    const fault =
      issue.path[0] === 'user' ? 'the text before @ is no user name' : `${issue.path.join('.')}: ${issue.message}`;
    say(loss(`The host ${entry.destination} is not translated: ${fault}.`));
    return undefined;
  }

  /** The hop before the host, undefined: none; false, and a loss: a connection without the hop would go elsewhere. */
  #jump(entry: SshEntry, actor: string, say: Say, depth: number): HostDraft['jump'] | false {
    const hops = hopsOf(entry);
    if (hops === undefined || depth > MOST_HOPS) {
      const [way] = entry.options.filter(({ keyword }) => /^proxy(jump|command)$/.test(keyword));
      say(
        loss(
          way?.keyword === 'proxyjump'
            ? `ProxyJump=${way.value} is not translated: the chain of jump hosts has a fault.`
            : 'ProxyCommand is not translated: only `ssh -W %h:%p HOST` becomes a jump host.',
        ),
      );
      return undefined;
    }
    const last = hops.at(-1);
    if (last === undefined) return undefined;
    const known = last.configured ? this.#jumps.get(last.destination) : undefined;
    const before = hops.slice(0, -1).map(textOfHop).join(',');
    const hop: SshEntry = {
      ...entry,
      destination: last.destination,
      options: [
        ...last.options,
        ...(before === '' ? [] : [{ keyword: 'proxyjump', value: before }]),
        ...(known?.options ?? []),
      ],
    };
    for (const remark of [...(known?.remarks ?? []), ...remarksOn(hop)])
      say({ ...remark, text: `Jump host ${last.destination}: ${remark.text}` });
    const key = hop.options.some(({ keyword, value }) => keyword === 'identityfile' && value !== 'none');
    if (!key) say(note(`Jump host ${last.destination}: no key is named, so actor ${actor} logs in there as well.`));
    const own = key ? this.#actor(hop, say) : actor;
    const host = own === undefined ? undefined : this.#host(hop, own, say, depth + 1);
    if (host === undefined || own === undefined) return false;
    return own === actor ? host : { host, actor: own };
  }

  #knownHosts(entry: SshEntry, say: Say): string | undefined {
    const [file, ...rest] = words(first(entry, 'userknownhostsfile') ?? '');
    const more = rest.filter((name) => name !== '/dev/null' && name !== `${file}2`);
    if (more.length > 0)
      say(loss(`More known_hosts files are not translated: ${more.join(' ')}. A host has one file in fleet-mesh.`));
    if (file === undefined) return undefined;
    if (file !== '/dev/null' && file !== 'none') return this.#path('UserKnownHostsFile', file, entry, say);
    say(note(`UserKnownHostsFile=${file} is left out: fleet-mesh needs the host key, in ~/.ssh/known_hosts.`));
    return undefined;
  }

  #actor(entry: SshEntry, say: Say): string | undefined {
    const files = entry.options.flatMap(({ keyword, value }) => (keyword === 'identityfile' ? [value] : []));
    const [file, ...more] = [...new Set(files)];
    if (more.length > 0) say(loss(`More keys are not translated: ${more.join(' ')}. An actor has one key.`));
    if (file === undefined || file === 'none') {
      const name = nameOf(entry.actor?.name ?? '', 'default');
      if (entry.agent === true) {
        say(note('The keys come from ssh-agent: give fleet-mesh the same SSH_AUTH_SOCK.'));
        return this.#addActor('agent', 'agent', entry, say);
      }
      say(note(`No key is named: ssh tries several keys, fleet-mesh uses one. Check the key of actor ${name}.`));
      const usual = this.#path('IdentityFile', '~/.ssh/id_ed25519', entry, say);
      return usual && this.#addActor(name, usual, entry, say);
    }
    const key = this.#path('IdentityFile', file, entry, say);
    if (key === undefined) return undefined;
    if (key.endsWith('.pub')) {
      say(loss(`IdentityFile=${file} is not translated: a public key chooses among the keys of ssh-agent.`));
      return this.#addActor('agent', 'agent', entry, say);
    }
    const name = nameOf(
      entry.actor?.name ??
        key
          .replace(/^credential:/, '')
          .split('/')
          .at(-1) ??
        '',
      'key',
    );
    return this.#addActor(name, key, entry, say);
  }

  #addActor(name: string, key: string, { actor }: SshEntry, say: Say): string | undefined {
    const draft: ActorDraft = { key, cert_command: actor?.certCommand && withPublicKey(actor.certCommand, key) };
    const issue = actorSchema.safeParse(draft).error?.issues[0];
    const [finding] = checkCommands({ actors: { [name]: { ...draft, passphrase_file: undefined } } }, ANY_PLACES);
    if (issue === undefined && finding === undefined) return add(this.#actors, name, draft);
    say(loss(`Actor ${name} is not translated: ${issue?.message ?? finding?.message}.`));
    return undefined;
  }

  /** The path with its tokens expanded. Undefined, and a loss: the path depends on something unknown. */
  #path(keyword: string, written: string, entry: SshEntry, say: Say): string | undefined {
    const expanded = expandTokens(written, tokensOf(entry));
    if (expanded === undefined || !/^(\/|~\/|credential:[\w@:.-]+$)/.test(expanded)) {
      say(loss(`${keyword}=${written} is not translated: write the whole path.`));
      return undefined;
    }
    const path = entry.home === undefined ? expanded : expanded.replace(/^~(?=\/)/, entry.home);
    if (entry.system === true && isInHome(path)) {
      const kind = keyword === 'IdentityFile' ? 'key' : 'known_hosts';
      say(note(homeHint(path, kind)));
    }
    return path;
  }

  /** Why `check` would refuse the tunnel beside the tunnels so far. */
  #faultOf(tunnel: TunnelDraft): string | undefined {
    const issue = tunnelSchema.safeParse(tunnel).error?.issues[0];
    if (issue !== undefined) return `${issue.path.join('.')}: ${issue.message}`;
    const [finding] = checkListeners({
      endpoint: undefined,
      tunnels: Object.fromEntries([...this.#tunnels, ['new', tunnel]]) as never,
    });
    return finding?.message;
  }
}

function addressOfHost(entry: SshEntry): string {
  const tokens: Readonly<Record<string, string>> = { '%%': '%', '%h': entry.destination };
  return first(entry, 'hostname')?.replace(/%[%h]/g, (token) => tokens[token] ?? token) ?? entry.destination;
}

function tokensOf(entry: SshEntry): TokenValues {
  const { destination, localUser } = entry;
  const [port, user] = [Number(first(entry, 'port') ?? 22), first(entry, 'user') ?? localUser];
  return { address: addressOfHost(entry), destination, port, user, localUser };
}

function keepalive(entry: SshEntry, say: Say): HostDraft['keepalive'] {
  const interval = parseSeconds(first(entry, 'serveraliveinterval') ?? '0');
  const written = first(entry, 'serveralivecountmax') ?? '3';
  if (interval === undefined || !/^\d+$/.test(written)) {
    say(loss('ServerAliveInterval or ServerAliveCountMax is no number, and is not translated.'));
    return undefined;
  }
  if (interval === 0) {
    if (first(entry, 'serveraliveinterval') !== undefined)
      say(note('ServerAliveInterval=0 is left out: fleet-mesh always notices a silent host, by default after 15s.'));
    return undefined;
  }
  const { keepalive: draft, remarks } = keepaliveOf(interval, Number(written));
  remarks.forEach(say);
  return draft;
}

function connectTimeout(entry: SshEntry, say: Say): string | undefined {
  const written = first(entry, 'connecttimeout') ?? 'none';
  if (written === 'none') return undefined;
  const wanted = parseSeconds(written);
  if (wanted === undefined) {
    say(loss(`ConnectTimeout=${written} is no time, and is not translated.`));
    return undefined;
  }
  if (wanted === 0) return undefined;
  const { timeout, remarks } = connectTimeoutOf(wanted);
  remarks.forEach(say);
  return timeout;
}

/** The place of the public key in the command becomes `{pubkey}`: fleet-mesh writes that file itself. */
function withPublicKey(command: string | readonly string[], key: string): string | readonly string[] {
  return typeof command === 'string'
    ? command.replaceAll(`${key}.pub`, '{pubkey}')
    : command.map((word) => word.replaceAll(`${key}.pub`, '{pubkey}'));
}

function textOfHop({ destination, options }: Hop): string {
  const user = first({ options }, 'user');
  const port = first({ options }, 'port');
  const host = destination.includes(':') ? `[${destination}]` : destination;
  return `${user === undefined ? '' : `${user}@`}${host}${port === undefined ? '' : `:${port}`}`;
}

function sameWay(a: TunnelDraft, b: TunnelDraft): boolean {
  return (['host', 'actor', 'direction', 'listen', 'target'] as const).every((key) => a[key] === b[key]);
}

function portOf(place: Place): number | undefined {
  return place.kind === 'tcp' ? place.port : undefined;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

function noteOf(text: string | undefined): string | undefined {
  const line = text
    ?.replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 1_000);
  return line === '' ? undefined : line;
}

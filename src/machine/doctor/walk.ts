import type { Config, TunnelConfig } from '../../config/config.ts';
import { jumpOf, type LinkName, linkKey, linksOf, settingsOf, wayTo } from '../../config/way.ts';
import type { Prepare } from '../../tunnels/link/prepare.ts';
import type { Finding, LinkFindings } from './finding.ts';
import { type Hop, walkHop } from './hop.ts';
import { checkListenPort, type PortHolder } from './listen-port.ts';
import { checkTunnel } from './tunnel-checks.ts';

/** A link to check, and its tunnels; a pure jump host has none. */
export interface Ward extends LinkName {
  readonly tunnels: readonly TunnelConfig[];
}

/**
 * The links to check: all, those of one host, or that of one tunnel. A jump host comes before the hosts behind it.
 * Undefined if `name` is neither a tunnel nor a host with a link. Pure.
 */
export function wardsFor(config: Config, name: string | undefined): Ward[] | undefined {
  const links = [...linksOf(config).values()];
  const isHost = links.some(({ host }) => host === name);
  const tunnels = [...config.tunnels.values()].filter(
    (tunnel) => name === undefined || (isHost ? tunnel.host : tunnel.name) === name,
  );
  const goals: LinkName[] = isHost ? links.filter(({ host }) => host === name) : tunnels;
  if (name !== undefined && goals.length === 0) return undefined;
  const needed = new Set(goals.flatMap((goal) => wayTo(config, goal)).map(linkKey));
  return links
    .filter((link) => needed.has(linkKey(link)))
    .map((link) => ({ ...link, tunnels: tunnels.filter((tunnel) => linkKey(tunnel) === linkKey(link)) }));
}

/**
 * Checks all wards at the same time and reports the findings in their order. A shared link (a jump host) is checked once,
 * so no credential is offered twice. Never rejects.
 */
export class Doctor {
  readonly #config: Config;
  readonly #prepare: Prepare;
  readonly #signal: AbortSignal;
  readonly #ports: PortHolder | undefined;
  readonly #hops = new Map<string, Promise<Hop>>();

  /** @param ports who may hold the listen ports; undefined: the ports are not checked */
  constructor(config: Config, prepare: Prepare, signal: AbortSignal, ports?: PortHolder) {
    this.#config = config;
    this.#prepare = prepare;
    this.#signal = signal;
    this.#ports = ports;
  }

  async examine(wards: readonly Ward[], onDone: (findings: LinkFindings) => void): Promise<void> {
    try {
      const all = wards.map((ward) => this.#walk(ward));
      for (const findings of all) onDone(await findings);
    } finally {
      const hops = await Promise.all(this.#hops.values());
      // A session over a jump host ends before the session of the jump host.
      for (const { session } of hops.reverse()) await session?.end();
    }
  }

  async #walk(ward: Ward): Promise<LinkFindings> {
    const { findings, session } = await this.#hop(ward);
    const { host, actor } = ward;
    const settings = settingsOf(this.#config, ward);
    const where = settings ? `${settings.host.user}@${settings.host.address} port ${settings.host.port}` : '';
    const more: Finding[] = [];
    for (const tunnel of ward.tunnels) {
      if (this.#ports) more.push(...(await checkListenPort(tunnel, this.#ports)));
      if (session && settings) more.push(...(await checkTunnel(tunnel, settings.host, session, this.#signal)));
      else more.push({ step: 'forward', tunnel: tunnel.name, verdict: 'skipped', detail: 'not checked: no session' });
    }
    return { host, actor, where, findings: [...findings, ...more] };
  }

  #hop(name: LinkName): Promise<Hop> {
    const key = linkKey(name);
    const known = this.#hops.get(key);
    if (known) return known;
    const settings = settingsOf(this.#config, name);
    if (!settings) throw new Error(`no host ${name.host} or no actor ${name.actor}: the configuration was not checked`);
    const jump = jumpOf(settings.host, name.actor);
    const before = jump && this.#hop(jump);
    const walked = (async () => {
      const over = jump && before && { hop: await before, host: jump.host };
      return walkHop({ ...settings, over }, this.#prepare, this.#signal);
    })();
    this.#hops.set(key, walked);
    return walked;
  }
}

import { TunnelError } from '../../base/errors.ts';
import type { Config, HostConfig } from '../../config/config.ts';
import { type LinkName, settingsOf, wayTo } from '../../config/way.ts';
import type { Prepare } from '../../tunnels/link/prepare.ts';
import { reach } from '../../tunnels/link/reach.ts';
import { appendHostKey } from '../../tunnels/ssh/host-key/append-host-key.ts';
import { fetchHostKey } from '../../tunnels/ssh/host-key/fetch-host-key.ts';
import { checkHostKey, HOST_KEY_ALGORITHMS, hostTrust } from '../../tunnels/ssh/host-key/host-key-policy.ts';
import type { HostLines } from '../../tunnels/ssh/host-key/host-lines.ts';
import { KnownHostsFiles } from '../../tunnels/ssh/host-key/known-hosts-files.ts';
import { fingerprint } from '../../tunnels/ssh/public-key.ts';
import { type Hop, routeOver, walkHop } from '../doctor/hop.ts';

/** A host whose key is not known yet. */
export interface Stranger {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly knownHosts: string;
  /** The type and the fingerprint of the presented key. The host has not proved yet that the key is its own. */
  readonly keyType: string;
  readonly fingerprint: string;
}

export interface MeetDependencies {
  readonly prepare: Prepare;
  /** Rejects if a person, or a rule, does not accept the key. */
  accept(stranger: Stranger): Promise<void>;
  /** Called when the key is in known_hosts. */
  onMet(stranger: Stranger): void;
}

/**
 * Makes every host on the way known, from the first hop: fetches the key of an unknown host, has it accepted, and writes
 * the key to known_hosts. A known host is left alone, and a changed or revoked key is never accepted. Rejects with a
 * TunnelError, or with the error of `accept`; the keys of earlier hops are in known_hosts then.
 */
export async function meetHosts(
  config: Config,
  goal: LinkName,
  { prepare, accept, onMet }: MeetDependencies,
  signal: AbortSignal,
): Promise<void> {
  const hops: { readonly hop: Hop; readonly host: string }[] = [];
  const way = wayTo(config, goal).reverse();
  try {
    for (const [index, name] of way.entries()) {
      const settings = settingsOf(config, name);
      if (!settings)
        throw new Error(`no host ${name.host} or no actor ${name.actor}: the configuration was not checked`);
      const over = hops.at(-1);
      const { host } = settings;
      const lines = await linesAbout(host);
      if (!isKnown(lines)) {
        const blob = await present(host, over, signal);
        const stranger = strangerOf(host, blob);
        refuseRevoked(lines, blob, stranger);
        await accept(stranger);
        await appendHostKey(host.knownHosts, host.address, host.port, blob).catch((error: unknown) => {
          throw new TunnelError('host_key_unknown', `${host.knownHosts} cannot be written: ${String(error)}`);
        });
        onMet(stranger);
      }
      // The last hop needs no session: nothing is behind it.
      if (index === way.length - 1) break;
      const hop = await walkHop({ ...settings, over }, prepare, signal);
      hops.push({ hop, host: host.name });
      if (!hop.session) throw failureOf(host, hop);
    }
  } finally {
    for (const { hop } of hops.reverse()) await hop.session?.end();
  }
}

/** Undefined for a file without any key; a file that cannot be read shows when the key is written. */
async function linesAbout({ knownHosts, address, port }: HostConfig): Promise<HostLines | undefined> {
  try {
    return (await new KnownHostsFiles().find(knownHosts, address, port)).lines;
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'host_key_unknown') return undefined;
    throw error;
  }
}

function isKnown(lines: HostLines | undefined): boolean {
  if (lines === undefined) return false;
  try {
    hostTrust(lines);
    return true;
  } catch {
    return false;
  }
}

async function present(
  host: HostConfig,
  over: { readonly hop: Hop; readonly host: string } | undefined,
  signal: AbortSignal,
): Promise<Buffer> {
  const peer = `${host.address} port ${host.port}`;
  const transport = await reach(host, await routeOver(host, over, signal), signal, () => {});
  const algorithms = [...HOST_KEY_ALGORITHMS.values()].flat();
  const blob = await fetchHostKey(transport, algorithms, { peer, timeoutMs: host.connectTimeoutMs }, signal);
  if (blob === undefined) throw new TunnelError('kex_failed', `${peer} has no host key of a supported type`);
  return blob;
}

function strangerOf({ name, address, port, knownHosts }: HostConfig, blob: Buffer): Stranger {
  const keyType = blob.toString('latin1', 4, 4 + blob.readUInt32BE(0));
  return { host: name, address, port, knownHosts, keyType, fingerprint: fingerprint(blob) };
}

function refuseRevoked(
  lines: HostLines | undefined,
  blob: Buffer,
  { address, fingerprint: presented }: Stranger,
): void {
  const verdict = lines && checkHostKey(lines, blob);
  if (verdict?.kind !== 'revoked' && verdict?.kind !== 'changed') return;
  throw new TunnelError(
    'host_key_changed',
    `${address} presented ${presented}, but ${verdict.entry.place} ${verdict.kind === 'revoked' ? 'revokes this key' : 'has another key'}`,
  );
}

function failureOf({ name }: HostConfig, { findings }: Hop): TunnelError {
  const error = findings.find(({ verdict }) => verdict === 'failed')?.error;
  const reason = error?.message ?? 'there is no session';
  return new TunnelError(error?.code ?? 'connection_reset', `jump host ${name} cannot be used: ${reason}`, {
    hint: error?.hint,
  });
}

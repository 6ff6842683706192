import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { TunnelError } from '../../base/errors.ts';
import { formatAddress, type TcpAddress } from '../../base/net/address.ts';
import { parseIp } from '../../base/net/ip.ts';
import type { TunnelConfig } from '../../config/config.ts';
import { type Holder, readOwn, searchAll, sightOf } from '../../tunnels/clients/processes.ts';
import { type Finding, failed } from './finding.ts';

/** A line of /proc/net/tcp (proc(5)) in the state TCP_LISTEN: address, port, uid, inode. */
const LISTENER = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A \S+ \S+ \S+ +(\d+) +\d+ (\d+)/;

/** Who may hold the listen ports. */
export interface PortHolder {
  /** The running daemon, if known. */
  readonly ownPid: number | undefined;
}

/**
 * Who holds the listen port of a tunnel, if anybody: nothing for a free port. The daemon itself, or systemd for it, is no
 * fault.
 */
export async function checkListenPort(tunnel: TunnelConfig, { ownPid }: PortHolder): Promise<Finding[]> {
  const { direction, listen, name } = tunnel;
  if (direction === 'remote' || listen.kind === 'unix') return [];
  const wanted = await listenersOn(listen);
  if (wanted.size === 0) return [];
  const holders: Holder[] = [];
  const sight = sightOf(readOwn('status'), process.geteuid?.() ?? -1);
  const steps = searchAll(new Set(ownPid === undefined ? [] : [ownPid]), sight, wanted, (_, holder) =>
    holders.push(holder),
  );
  while (steps.next().done !== true);
  const where = `port ${listen.port}`;
  if (holders.some(({ pid }) => pid === ownPid || pid === 1))
    return [{ step: 'listen', tunnel: name, verdict: 'ok', detail: `${where} is held by the running daemon` }];
  const [holder] = holders;
  if (holder !== undefined) {
    const isSsh = /^(auto)?ssh$/.test(holder.process);
    return [failed('listen', inUse(listen, `${holder.process} (pid ${holder.pid})`, isSsh), name)];
  }
  if (ownPid === undefined) return [failed('listen', inUse(listen, 'a process of another user'), name)];
  const detail = `${where} is in use: by the running daemon, if \`fleet-mesh status ${name}\` says that it is up`;
  return [{ step: 'listen', tunnel: name, verdict: 'skipped', detail }];
}

function inUse(listen: TcpAddress, holder: string, isSsh = false): TunnelError {
  const hint = isSsh
    ? '`scripts/install-node` takes the port over from a unit of ssh; `--no-listen` leaves this check out. Else stop that program, or change the listen address of the tunnel.'
    : 'Stop that program, or change the listen address of the tunnel.';
  return new TunnelError('listen_in_use', `${formatAddress(listen)} is held by ${holder}`, { hint });
}

/** The uid of each listening socket that collides with the address, by its inode. */
async function listenersOn({ host, port }: TcpAddress): Promise<Map<string, number>> {
  const tables = ['/proc/self/net/tcp', '/proc/self/net/tcp6'];
  const texts = await Promise.all(tables.map((path) => readFile(path, 'utf8').catch(() => '')));
  return new Map(
    texts
      .flatMap((text) => text.split('\n'))
      .flatMap((line): [string, number][] => {
        const [, address = '', hex = '', uid, inode = ''] = LISTENER.exec(line) ?? [];
        return Number.parseInt(hex, 16) === port && collides(address, host) ? [[inode, Number(uid)]] : [];
      }),
  );
}

/** An IPv4 listener collides with the same address and with every address; for other hosts the port decides. */
function collides(address: string, host: string): boolean {
  const ip = parseIp(host);
  if (ip?.length !== 4 || ip.every((byte) => byte === 0) || /^0+$/.test(address)) return true;
  // The kernel prints each address as a number in the byte order of the machine.
  const bytes = endianness() === 'LE' ? [...ip].reverse() : [...ip];
  return address.endsWith(Buffer.from(bytes).toString('hex').toUpperCase());
}

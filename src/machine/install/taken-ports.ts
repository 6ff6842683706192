import { readFile } from 'node:fs/promises';

/** TCP_LISTEN of the kernel's enum. */
const LISTENING = '0A';

/** TCP ports of this node with a listener, on any address. */
export async function portsInUse(): Promise<Set<number>> {
  const tables = await Promise.all(
    ['/proc/self/net/tcp', '/proc/self/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  return new Set(tables.flatMap(listeningPorts));
}

/** The listening ports in the text of /proc/net/tcp (proc(5)). Pure. */
export function listeningPorts(table: string): number[] {
  return table.split('\n').flatMap((line) => {
    const [, port, state] = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line) ?? [];
    return port !== undefined && state === LISTENING ? [Number.parseInt(port, 16)] : [];
  });
}

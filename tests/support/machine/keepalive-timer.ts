import { readFileSync } from 'node:fs';

/** proc(5), /proc/net/tcp: `tr` is 2 while the keepalive timer runs, `tm->when` is its rest in ticks of 10 ms. */
const ROW = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) 01 \S+ ([0-9A-F]{2}):([0-9A-F]{8}) /;

/**
 * The seconds until the kernel asks the peer of each established IPv4 connection with these ports; undefined for a
 * connection without keepalive.
 */
export function keepaliveSeconds(ports: { readonly local?: number; readonly remote?: number }): (number | undefined)[] {
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, local = '', remote = '', timer = '', when = ''] = ROW.exec(line) ?? [];
      const matches = [
        [local, ports.local],
        [remote, ports.remote],
      ].every(([found, wanted]) => wanted === undefined || Number.parseInt(String(found), 16) === wanted);
      if (local === '' || !matches) return [];
      return [timer === '02' ? Number.parseInt(when, 16) / 100 : undefined];
    });
}

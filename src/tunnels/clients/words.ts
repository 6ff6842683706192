import { printable } from '../../base/text/printable.ts';
import type { Client } from './client.ts';

/** A client in words, on one line: `curl (pid 12, backup.service)`, `unknown (uid 998)`. Pure. */
export function clientText({ process, pid, uid, unit, pod, address }: Omit<Client, 'process'> & { process: string }) {
  const owner = pod !== null ? `pod ${pod}` : unit !== null ? unitText(unit) : uid !== null ? `uid ${uid}` : null;
  const known = [pid === null ? null : `pid ${pid}`, owner, address === null ? null : `at ${address}`];
  const told = known.filter((part) => part !== null).map((part) => printable(part));
  return `${printable(process)}${told.length === 0 ? '' : ` (${told.join(', ')})`}`;
}

function unitText(unit: string): string {
  const [, uid, own] = /^user@(\d+)\.service\/(.+)$/.exec(unit) ?? [];
  return own === undefined ? unit : `user unit ${own} of uid ${uid}`;
}

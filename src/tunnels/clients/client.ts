import { printable } from '../../base/text/printable.ts';

/** The program that connected, as far as this machine knows. Null: unknown. */
export interface Client {
  /** The kernel's short name of the process (proc(5), `comm`). Its arguments may hold secrets and are never read. */
  readonly process: string | null;
  readonly pid: number | null;
  readonly uid: number | null;
  /** The systemd unit; one of a user's manager as `user@1000.service/backup.service`. */
  readonly unit: string | null;
  /** The uid of the process's Kubernetes pod: the cgroup does not have the pod's name. */
  readonly pod: string | null;
  /** The caller's address, when its socket is outside this network namespace: a container, a pod, another machine. */
  readonly address: string | null;
}

export const UNKNOWN: Client = { process: null, pid: null, uid: null, unit: null, pod: null, address: null };

/** Identifies one client across its connections and restarts, so without its pid. */
export function clientKey({ process, uid, unit, pod, address }: Client): string {
  return JSON.stringify([process, uid, pod ?? unit, address]);
}

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

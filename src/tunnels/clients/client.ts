/** Who has connected, as far as this machine tells. What is null is not known. */
export interface Client {
  /** The kernel's short name of it (proc(5), `comm`). Its arguments, which may hold secrets, are never read. */
  readonly process: string | null;
  readonly pid: number | null;
  readonly uid: number | null;
  /** The systemd unit; one of a user's manager as `user@1000.service/backup.service`. */
  readonly unit: string | null;
  /** The uid of its Kubernetes pod: the cgroup has no name of it. */
  readonly pod: string | null;
  /** Where it called from, if that is no socket of this network namespace: a container, a pod, another machine. */
  readonly address: string | null;
}

export const UNKNOWN: Client = { process: null, pid: null, uid: null, unit: null, pod: null, address: null };

/** One client across its connections and restarts: the pid is not part of it. */
export function clientKey({ process, uid, unit, pod, address }: Client): string {
  return JSON.stringify([process, uid, pod ?? unit, address]);
}

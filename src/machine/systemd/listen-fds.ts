/** The environment of socket activation (sd_listen_fds(3)). */
export interface ListenEnvironment {
  readonly LISTEN_PID?: string | undefined;
  readonly LISTEN_FDS?: string | undefined;
  readonly LISTEN_FDNAMES?: string | undefined;
}

/** A descriptor that systemd passed. */
export interface PassedFd {
  readonly fd: number;
  /** `FileDescriptorName=` of its socket unit; `unknown`: no name. */
  readonly name: string;
}

/** SD_LISTEN_FDS_START: after standard input, output and error. */
const FIRST_FD = 3;
/** Bounds the loop if the variable is corrupt; far above any real number. */
const MOST_FDS = 4_096;

/** The descriptors passed to this process; empty if the variables are for another process. Pure. */
export function passedFds({ LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }: ListenEnvironment, pid: number): PassedFd[] {
  if (LISTEN_PID !== String(pid) || !/^\d{1,4}$/.test(LISTEN_FDS ?? '')) return [];
  const names = LISTEN_FDNAMES === undefined ? [] : LISTEN_FDNAMES.split(':');
  return Array.from({ length: Math.min(Number(LISTEN_FDS), MOST_FDS) }, (_, index) => ({
    fd: FIRST_FD + index,
    name: names[index] || 'unknown',
  }));
}

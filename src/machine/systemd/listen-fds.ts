/** The environment of socket activation (sd_listen_fds(3)). */
export interface ListenEnvironment {
  readonly LISTEN_PID?: string | undefined;
  readonly LISTEN_FDS?: string | undefined;
  readonly LISTEN_FDNAMES?: string | undefined;
}

/** A descriptor that systemd passed. */
export interface PassedFd {
  readonly fd: number;
  /** `FileDescriptorName=` of its socket unit; `unknown` where systemd gave none. */
  readonly name: string;
}

/** SD_LISTEN_FDS_START: after standard input, output and error. */
const FIRST_FD = 3;
/** Far above any fleet, far below what a mangled variable could make us loop over. */
const MOST_FDS = 4_096;

/** What was passed to this very process; nothing when the variables are meant for another one. Pure. */
export function passedFds({ LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }: ListenEnvironment, pid: number): PassedFd[] {
  if (LISTEN_PID !== String(pid) || !/^\d{1,4}$/.test(LISTEN_FDS ?? '')) return [];
  const names = LISTEN_FDNAMES === undefined ? [] : LISTEN_FDNAMES.split(':');
  return Array.from({ length: Math.min(Number(LISTEN_FDS), MOST_FDS) }, (_, index) => ({
    fd: FIRST_FD + index,
    name: names[index] || 'unknown',
  }));
}

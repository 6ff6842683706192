/** Where a command writes: answers to `out`, complaints to `err`. The text ends its own lines. */
export interface CommandIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Exit codes of every command (SPEC section 8). */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** Unknown, or the daemon cannot be reached. */
  unknown: 2,
  timeout: 3,
  noSuchTunnel: 4,
  usage: 64,
  /** systemd does not restart on it. */
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Makes an action for commander of a command: the result of `run` is the exit code of the program, and a throw is a bug. */
export type Ends = <Args extends unknown[]>(
  run: (...args: Args) => ExitCode | Promise<ExitCode>,
) => (...args: Args) => Promise<void>;

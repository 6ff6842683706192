/**
 * Where a command writes: results to `out`, errors to `err`. The text ends its own lines. `code` is the stable name of the
 * error for `--json`, if the exit code alone does not tell.
 */
export interface CommandIo {
  readonly out: (text: string) => void;
  readonly err: (text: string, code?: string) => void;
}

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** Unknown, or the daemon is unreachable. */
  unknown: 2,
  timeout: 3,
  noSuchTunnel: 4,
  usage: 64,
  /** systemd does not restart the daemon after this code. */
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Makes a commander action of `run`: its result is the exit code of the program. A throw is a bug. */
export type Ends = <Args extends unknown[]>(
  run: (...args: Args) => ExitCode | Promise<ExitCode>,
) => (...args: Args) => Promise<void>;

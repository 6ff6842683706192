/**
 * Keeps signals that arrive while the program is loaded, which takes up to a second. Without a handler they would end
 * the process, so a reload right after a start would stop the daemon.
 */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Signals without a meaning for the daemon. By default the first one makes Node open a debugger for every user of the machine,
 * and the second one ends the process.
 */
const IGNORED = ['SIGUSR1', 'SIGUSR2'] as const;

const held: NodeJS.Signals[] = [];
const hold = (signal: NodeJS.Signals) => {
  held.push(signal);
};

/** Starts to keep signals, and ignores those without a meaning from now on. */
export function holdSignals(): void {
  for (const signal of IGNORED) process.on(signal, () => {});
  for (const signal of SIGNALS) process.on(signal, hold);
}

/** Sends the kept signals again, in their order, to the handlers that the caller has installed. */
export function releaseSignals(): void {
  for (const signal of SIGNALS) process.off(signal, hold);
  for (const signal of held.splice(0)) process.emit(signal, signal);
}

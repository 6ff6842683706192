/**
 * Signals that arrive while the program is still being loaded, which takes a good part of a second: without a handler
 * they would end the process, and a reload right after a start would stop the daemon.
 */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const held: NodeJS.Signals[] = [];
const hold = (signal: NodeJS.Signals) => {
  held.push(signal);
};

/** From now on they are kept. */
export function holdSignals(): void {
  for (const signal of SIGNALS) process.on(signal, hold);
}

/** Hands over to whoever has put up handlers of their own: those get what was kept, in its order. */
export function releaseSignals(): void {
  for (const signal of SIGNALS) process.off(signal, hold);
  for (const signal of held.splice(0)) process.emit(signal, signal);
}

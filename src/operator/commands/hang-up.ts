/**
 * Ends the process as the loss of its terminal does, without an exit of Node: Node would restore the mode of the terminal,
 * fail, and leave a core dump.
 */
export function hangUp(): void {
  process.removeAllListeners('SIGHUP');
  process.kill(process.pid, 'SIGHUP');
  // Only if the process was started with this signal ignored.
  process.kill(process.pid, 'SIGKILL');
}

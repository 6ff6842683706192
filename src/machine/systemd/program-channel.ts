import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { NotifyChannel } from './channel.ts';
import { type Assignments, canMerge, notifyLines } from './message.ts';

/** Where distributions install it. The daemon does not search `$PATH`. */
const PLACES = ['/usr/bin/systemd-notify', '/bin/systemd-notify'];

/** systemd-notify waits until systemd has read the message, usually milliseconds. */
const TIMEOUT_MS = 5_000;

/**
 * The program systemd-notify(1), one run at a time. systemd sees a message from a child process, and accepts it only with
 * `NotifyAccess=all`, or from root.
 */
export function programChannel(
  notifySocket: string,
  onFailure: (error: Error) => void,
  places: readonly string[] = PLACES,
): NotifyChannel | undefined {
  const program = places.find(isExecutable);
  if (program === undefined) return undefined;
  const waiting: Assignments[] = [];
  let running: Promise<void> | undefined;

  const sendWaiting = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await runOnce(program, notifyLines(next), notifySocket).catch(onFailure);
    }
    running = undefined;
  };
  return {
    via: 'systemd-notify',
    send: (assignments) => {
      const last = waiting.at(-1);
      if (last !== undefined && canMerge(last, assignments)) waiting[waiting.length - 1] = { ...last, ...assignments };
      else waiting.push(assignments);
      running ??= sendWaiting();
    },
    flush: async () => {
      await running;
    },
  };
}

function runOnce(program: string, lines: readonly string[], notifySocket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env: { NOTIFY_SOCKET: notifySocket }, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' as const };
    execFile(program, [...lines], options, (error) => (error ? reject(error) : resolve()));
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

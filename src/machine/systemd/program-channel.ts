import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { NotifyChannel } from './channel.ts';
import { type Assignments, canMerge, notifyLines } from './message.ts';

/** Where distributions put it; `$PATH` has no say in what the daemon runs. */
const PLACES = ['/usr/bin/systemd-notify', '/bin/systemd-notify'];

/** It waits until systemd has read the message, which takes milliseconds. */
const TIMEOUT_MS = 5_000;

/**
 * The program systemd-notify(1), one run at a time. To systemd the message comes from a child of ours: unless we are
 * root, it takes it only with `NotifyAccess=all`.
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

  const drain = async () => {
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
      running ??= drain();
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

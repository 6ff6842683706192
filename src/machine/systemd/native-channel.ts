import { createRequire } from 'node:module';
import type { NotifyChannel } from './channel.ts';
import { notifyLines } from './message.ts';

/** The used part of `sd-notify`, which ships no types. */
interface SdNotify {
  sendState(lines: string): void;
}

/**
 * `sd-notify`, a native addon over libsystemd, if this installation has it: it is compiled when it is installed, which
 * fails without a compiler or without libsystemd's headers, and then must cost no more than this way. It reads
 * `$NOTIFY_SOCKET` again for each message.
 */
export function nativeChannel(): NotifyChannel | undefined {
  const sdNotify = load();
  if (sdNotify === undefined) return undefined;
  return {
    via: 'sd-notify',
    send: (assignments) => sdNotify.sendState(notifyLines(assignments).join('\n')),
    flush: () => Promise.resolve(),
  };
}

function load(): SdNotify | undefined {
  const require = createRequire(import.meta.url);
  try {
    return require('sd-notify') as SdNotify;
  } catch {
    return undefined;
  }
}

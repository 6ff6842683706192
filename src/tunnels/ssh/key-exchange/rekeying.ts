import type { Client } from 'ssh2';
import { onBeat } from '../../../base/async/beat.ts';
import type { Lifesigns } from '../keepalive.ts';
import { requestRekey } from '../ssh2-insides.ts';

/** When a session gets new keys at the latest. */
export interface RekeyLimits {
  /** Bytes in one direction, because each direction has its own key. */
  readonly bytes: number;
  readonly ms: number;
  /** Interval between two looks at the counters, in milliseconds. */
  readonly lookEveryMs: number;
}

/** The recommendation of RFC 4253 section 9: a gigabyte or an hour. */
export const REKEY_LIMITS: RekeyLimits = { bytes: 1_000_000_000, ms: 3_600_000, lookEveryMs: 1_000 };

/** The counters of a session, and their time in monotonic milliseconds. */
type Use = Pick<Lifesigns, 'received' | 'flushed'> & { readonly at: number };

/** Whether keys that are in use since `first` must be changed. Pure. */
export function rekeyDue(limits: RekeyLimits, first: Use, now: Use): boolean {
  return (
    now.at - first.at >= limits.ms ||
    now.received - first.received >= limits.bytes ||
    now.flushed - first.flushed >= limits.bytes
  );
}

interface RekeyingDependencies {
  lifesigns(): Lifesigns;
  /** An exchange of ours begins: ssh2 keeps our data in memory until the next 'handshake'. */
  onRekey(): void;
}

/**
 * Starts the key exchanges of a session until its client closes. ssh2 starts none. OpenSSH starts none by time, and for
 * AES none before 64 GB. An exchange that the server starts counts too.
 */
export function rekeyInTime(client: Client, limits: RekeyLimits, deps: RekeyingDependencies): void {
  const use = (): Use => ({ ...deps.lifesigns(), at: performance.now() });
  let first = use();
  let running = false;
  const stop = onBeat(limits.lookEveryMs, () => {
    if (running || !rekeyDue(limits, first, use())) return;
    // A server that does not answer here answers no keepalive either, because that one waits for the new keys.
    running = true;
    deps.onRekey();
    requestRekey(client);
  });
  client.on('handshake', () => {
    running = false;
    first = use();
  });
  client.once('close', stop);
}

import { open } from 'node:fs/promises';
import type { Family } from './socket-table.ts';

/** The largest table to read, in bytes: that of a hundred thousand connections. */
const MOST_BYTES = 16 * 1_024 * 1_024;

/**
 * The lines of this network namespace's table, about thirty at a time. The thread pool reads them: the kernel walks its
 * whole hash table, which takes milliseconds even for an empty one. Never rejects: an unreadable table has no lines.
 */
export async function* readTable(family: Family): AsyncGenerator<readonly string[], void> {
  // Not /proc/net, which is missing with ProcSubset=pid.
  const file = await open(`/proc/self/net/${family}`).catch(() => undefined);
  if (file === undefined) return;
  try {
    const buffer = Buffer.alloc(65_536);
    let rest = '';
    for (let total = 0; total < MOST_BYTES; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      total += bytesRead;
      const lines = `${rest}${buffer.toString('latin1', 0, bytesRead)}`.split('\n');
      rest = lines.pop() ?? '';
      yield lines;
    }
  } catch {
    // The table ends here.
  } finally {
    await file.close();
  }
}

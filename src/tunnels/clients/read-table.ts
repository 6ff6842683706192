import { open } from 'node:fs/promises';
import type { Family } from './socket-table.ts';

/** A table is read up to this size, that of a machine with a hundred thousand connections. */
const MOST_BYTES = 16 * 1_024 * 1_024;

/**
 * The lines of this network namespace's table, as the kernel makes them, about thirty at a time. The thread pool reads
 * them, because the kernel walks its whole hash table, which takes milliseconds even when the table is empty. Never
 * rejects: a table that cannot be read has no lines.
 */
export async function* readTable(family: Family): AsyncGenerator<readonly string[], void> {
  // Not /proc/net: under ProcSubset=pid there is none.
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

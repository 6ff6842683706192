import { open } from 'node:fs/promises';
import { type Family, keyIn, parseRow, type SocketRow } from './socket-table.ts';

/** A table beyond this size is read no further: it is that of a machine with a hundred thousand connections. */
const MOST_BYTES = 16 * 1_024 * 1_024;

/**
 * The rows of those keys in this network namespace's table. Read by the thread pool, because the kernel passes over its
 * whole hash table, which takes milliseconds even where that is empty. Never rejects: what cannot be read has no rows.
 */
export async function readRows(
  family: Family,
  keys: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Map<string, SocketRow>> {
  const found = new Map<string, SocketRow>();
  // Not /proc/net: under ProcSubset=pid there is none.
  const file = await open(`/proc/self/net/${family}`).catch(() => undefined);
  if (file === undefined) return found;
  try {
    const buffer = Buffer.alloc(65_536);
    let rest = '';
    for (let total = 0; total < MOST_BYTES && found.size < keys.size && !signal.aborted; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      total += bytesRead;
      const lines = `${rest}${buffer.toString('latin1', 0, bytesRead)}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (!keys.has(keyIn(line))) continue;
        const row = parseRow(line);
        if (row) found.set(row.key, row);
      }
    }
  } catch {
    // What was found until then is found.
  } finally {
    await file.close();
  }
  return found;
}

import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { lookupName } from './host-pattern.ts';

const NEWLINE = 0x0a;

/**
 * Adds a host key that a person has confirmed. Creates the file (0644) and its directory (0700) if needed, as ssh(1) does.
 * Rejects with the error of the system.
 */
export async function appendHostKey(file: string, host: string, port: number, blob: Buffer): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // O_NONBLOCK: opening a FIFO would wait for a reader.
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
  const handle = await open(file, flags, 0o644);
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1, NEWLINE);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    const type = blob.toString('latin1', 4, 4 + blob.readUInt32BE(0));
    const line = `${lookupName(host, port)} ${type} ${blob.toString('base64')}\n`;
    // One write: two commands at the same time never mix their lines.
    await handle.write(last[0] === NEWLINE ? line : `\n${line}`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

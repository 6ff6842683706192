import { randomFillSync } from 'node:crypto';

/** Random bytes in stock: a call of the random generator for each packet costs more than the bytes. */
const POOL_BYTES = 16 * 1024;

const pool = Buffer.allocUnsafe(POOL_BYTES);
let used = POOL_BYTES;

/** Fills the padding of one packet (RFC 4253 section 6): random, and each random byte is used once. */
export function fillPadding(packet: Buffer, offset: number, bytes: number): void {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  for (let index = 0; index < bytes; index++) packet[offset + index] = pool[used + index] ?? 0;
  used += bytes;
}

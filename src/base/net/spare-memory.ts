/** As much as one read of a socket. */
const SPARE_BYTES = 64 * 1024;
const MOST_SPARE = 8;
/** Fewer bytes come from Node's own pool. */
const LEAST_BYTES = 4 * 1024;

const spare: Buffer[] = [];

/** Memory for at least so many bytes, which are to be given back after their use. */
export function takeMemory(bytes: number): Buffer {
  if (bytes < LEAST_BYTES || bytes > SPARE_BYTES) return Buffer.allocUnsafe(bytes);
  return spare.pop() ?? Buffer.allocUnsafeSlow(SPARE_BYTES);
}

/** Nobody refers to this memory any more. */
export function giveMemory(memory: Buffer): void {
  if (memory.length === SPARE_BYTES && spare.length < MOST_SPARE) spare.push(memory);
}

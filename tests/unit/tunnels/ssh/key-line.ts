/** A key blob of a type, told apart by `seed`; its content is no real key, which nothing here needs. */
export function blobOf(type: string, seed: string): Buffer {
  const field = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return Buffer.concat([field(Buffer.from(type)), field(Buffer.from(seed))]);
}

/** A known_hosts line for {@link blobOf}. */
export function keyLine(hosts: string, type: string, seed: string): string {
  return `${hosts} ${type} ${blobOf(type, seed).toString('base64')}`;
}

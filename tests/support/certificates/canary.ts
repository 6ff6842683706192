/** A planted secret, to search in places where it must not appear. */
export interface Canary {
  readonly what: string;
  readonly bytes: Buffer;
}

export function canary(what: string, secret: string | Buffer): Canary {
  return { what, bytes: Buffer.from(secret) };
}

/** The secret half of an unencrypted OpenSSH ed25519 key (OpenSSH's PROTOCOL.key): its seed, and how the file spells it. */
export function keyCanaries(what: string, privateKey: string): Canary[] {
  const lines = privateKey.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
  const blob = Buffer.from(lines.join(''), 'base64');
  // `string public, string secret`; the secret ends with a copy of the public half.
  const publicHalf = blob.subarray(blob.indexOf('ssh-ed25519') + 15, blob.indexOf('ssh-ed25519') + 47);
  const second = blob.indexOf(publicHalf, blob.indexOf(publicHalf) + 32);
  const seed = blob.subarray(second + 36, second + 68);
  if (second < 0 || seed.length !== 32) throw new Error(`${what} is no unencrypted ed25519 key`);
  return [canary(`the seed of ${what}`, seed), canary(`the text of ${what}`, lines.at(-2) ?? '')];
}

/** The canaries in the text, plain or in a common encoding, whole or only the first 12 bytes. */
export function findCanaries(canaries: readonly Canary[], text: string): string[] {
  return canaries.flatMap(({ what, bytes }) =>
    [...spellings(bytes.subarray(0, 12))].flatMap(([how, spelling]) =>
      text.includes(spelling) ? [`${what} ${how}`] : [],
    ),
  );
}

function spellings(bytes: Buffer): Map<string, string> {
  const text = bytes.toString('latin1');
  const found = new Map([
    ['as it is', text],
    ['in UTF-8', bytes.toString('utf8')],
    ['in hex', bytes.toString('hex')],
    ['in upper-case hex', bytes.toString('hex').toUpperCase()],
    ['percent-encoded', encodeURIComponent(text)],
    ['in JSON', JSON.stringify(text).slice(1, -1)],
    // util.inspect of a Buffer, and JSON of one.
    ['as bytes in hex', [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')],
    ['as a list of bytes', [...bytes].join(',')],
  ]);
  // Base64 of a longer text: for each alignment, the characters that depend only on the canary.
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before), bytes]);
    const whole = padded
      .subarray(0, padded.length - (padded.length % 3))
      .toString('base64')
      .slice(before === 0 ? 0 : 4);
    found.set(`in base64 (${before})`, whole);
    found.set(`in base64url (${before})`, whole.replaceAll('+', '-').replaceAll('/', '_'));
  }
  // A replacement character hides the original.
  if (found.get('in UTF-8')?.includes('\uFFFD')) found.delete('in UTF-8');
  return found;
}

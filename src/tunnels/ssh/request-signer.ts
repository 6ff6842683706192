import type { Client, ParsedKey } from 'ssh2';
import { asError, TunnelError } from '../../base/errors.ts';
import type { SignatureAlgorithm } from './certificate/signature-algorithm.ts';
import type { Identity } from './identity.ts';
import { sendInstead } from './packet-shadow.ts';
import { ssh2 } from './ssh2.ts';
import { packetWriter } from './ssh2-insides.ts';
import { WireReader, wireString } from './wire.ts';

type IdentitiesCallback = (error: Error | null | undefined, keys?: ParsedKey[]) => void;
type SignCallback = (error: Error | null | undefined, signature?: Buffer) => void;
interface SigningOptions {
  readonly hash?: string;
}

/** A source of identities. Calls reject when `signal` aborts. */
export interface Keyring {
  identities(signal: AbortSignal): Promise<readonly Identity[]>;
  /** The signature in wire format, without the name of the algorithm. */
  sign(offered: ParsedKey, algorithm: SignatureAlgorithm, data: Buffer, signal: AbortSignal): Promise<Buffer>;
}

/**
 * An agent for one client of ssh2. ssh2 cannot log in with certificates: it writes the certificate type into the
 * signature, where servers expect the plain type. The rest of its request is right, so ssh2 builds the request and
 * {@link sendInstead} corrects it before sending.
 */
export class RequestSigner extends ssh2.BaseAgent<ParsedKey> {
  readonly #client: Client;
  readonly #keyring: Keyring;
  readonly #gone = new AbortController();
  #identities: readonly Identity[] = [];

  constructor(client: Client, keyring: Keyring) {
    super();
    this.#client = client;
    this.#keyring = keyring;
    client.once('close', () => this.#gone.abort(new Error('the connection is closed')));
  }

  override getIdentities(answer: IdentitiesCallback): void {
    void this.#load().then(
      (keys) => answer(undefined, keys),
      (error: unknown) => answer(asError(error)),
    );
  }

  /** `data`: the session identifier, then the request up to its signature (RFC 4252 section 7). */
  override sign(offered: ParsedKey, data: Buffer, options: SigningOptions | SignCallback, done?: SignCallback): void {
    const [{ hash }, answer] = typeof options === 'function' ? [{} as SigningOptions, options] : [options, done];
    if (answer === undefined) return;
    void this.#sign(offered, data, hash, answer).catch((error: unknown) => {
      if (!this.#gone.signal.aborted) answer(asError(error));
    });
  }

  async #load(): Promise<ParsedKey[]> {
    this.#identities = await this.#keyring.identities(this.#gone.signal);
    // Before the offer: do not start a login that cannot be finished.
    if (this.#identities.some(({ algorithm }) => algorithm !== undefined)) packetWriter(this.#client);
    return this.#identities.map(({ offered }) => offered);
  }

  async #sign(offered: ParsedKey, data: Buffer, hash: string | undefined, answer: SignCallback): Promise<void> {
    const identity = this.#identities.find((each) => each.offered === offered);
    if (identity === undefined) throw new TunnelError('internal', 'ssh2 requested a signature with an unknown key');
    const algorithm = identity.algorithm ?? plainAlgorithm(offered, hash);
    const signature = await this.#keyring.sign(offered, algorithm, data, this.#gone.signal);
    this.#gone.signal.throwIfAborted();
    if (identity.algorithm === undefined) {
      answer(undefined, signature);
      return;
    }
    const reader = new WireReader(data);
    reader.string();
    const request = data.subarray(reader.position);
    const signed = (name: string) =>
      Buffer.concat([request, wireString(Buffer.concat([wireString(name), wireString(signature)]))]);
    sendInstead(this.#client, signed(offered.type), signed(algorithm.name), () => answer(undefined, signature));
  }
}

/** ssh2 chooses the hash of a plain RSA key from the server's list (RFC 8308). */
function plainAlgorithm(key: ParsedKey, hash: string | undefined): SignatureAlgorithm {
  if (key.type !== 'ssh-rsa') return { name: key.type, hash: undefined };
  if (hash === 'sha512') return { name: 'rsa-sha2-512', hash };
  if (hash === 'sha256') return { name: 'rsa-sha2-256', hash };
  throw new TunnelError('auth_rejected', 'the server accepts RSA keys only with SHA-1, which fleet-mesh does not use', {
    hint: 'Use an ed25519 key, or a server with OpenSSH 7.2 or later.',
  });
}

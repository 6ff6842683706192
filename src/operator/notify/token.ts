import { TunnelError } from '../../base/errors.ts';
import { readSecretFile } from '../../tunnels/credential/secret-file.ts';

/** RFC 9110 section 5.5. fetch repeats a header with other characters in its error, and the error gets into the log. */
const ONE_LINE = /^[\x20-\x7e]+$/;

/** Reads the token of `secret_file`. Rejects with a TunnelError if the file has no usable token, or others can read it. */
export async function readToken(path: string, credentialsDirectory: string | undefined): Promise<string> {
  const { bytes, exposure } = await readSecretFile('token file', path, credentialsDirectory);
  if (exposure !== undefined) throw exposure;
  const token = bytes.toString('utf8').trim();
  if (ONE_LINE.test(token)) return token;
  throw new TunnelError('key_unreadable', `token file ${path} is not one line of plain ASCII text`, {
    hint: 'The file must contain the token alone.',
  });
}

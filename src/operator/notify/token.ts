import { readSecretFile } from '../../tunnels/credential/secret-file.ts';

/** Reads the token of `secret_file`. Rejects with a TunnelError if the file is unreadable, or others can read it. */
export async function readToken(path: string, credentialsDirectory: string | undefined): Promise<string> {
  const { bytes, exposure } = await readSecretFile('token file', path, credentialsDirectory);
  if (exposure !== undefined) throw exposure;
  return bytes.toString('utf8').trim();
}

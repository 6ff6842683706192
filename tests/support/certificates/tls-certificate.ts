import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram } from '../machine/find-program.ts';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A CA for TLS, and its PEM file. */
export interface TlsAuthority {
  readonly file: string;
  /** A certificate for these subject alternative names, as in `DNS:hub.example,IP:127.0.0.1`; -1 days: expired. */
  issue(names: string, days: number): { readonly cert: Buffer; readonly key: Buffer; readonly validBefore: Date };
}

/** Makes a CA in `directory` with openssl. */
export function makeTlsAuthority(directory: string, name: string): TlsAuthority {
  const file = (suffix: string) => join(directory, `${name}${suffix}`);
  const openssl = (...args: string[]) =>
    execFileSync(requireProgram('openssl'), args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  const [ca, caKey] = [file('.pem'), file('.key')];
  const subject = ['-subj', `/CN=${name}`];
  openssl('req', '-x509', ...NEW_KEY, '-keyout', caKey, '-out', ca, ...subject, '-days', '30');
  let issued = 0;
  return {
    file: ca,
    issue: (names, days) => {
      issued += 1;
      const [key, request, cert, extensions] = ['key', 'csr', 'crt', 'ext'].map((each) =>
        file(`-${issued}.${each}`),
      ) as [string, string, string, string];
      writeFileSync(extensions, `subjectAltName=${names}`);
      openssl('req', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', '/CN=leaf');
      const signing = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-extfile', extensions, '-days', `${days}`];
      openssl('x509', '-req', '-in', request, '-out', cert, ...signing);
      const end = openssl('x509', '-in', cert, '-noout', '-enddate').trim().replace('notAfter=', '');
      return { cert: readFileSync(cert), key: readFileSync(key), validBefore: new Date(end) };
    },
  };
}

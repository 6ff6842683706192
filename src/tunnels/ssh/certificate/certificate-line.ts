import { TunnelError } from '../../../base/errors.ts';
import { plainTypeOf } from './certificate-type.ts';

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const KEY_TYPE = /^(sk-)?(ssh|ecdsa)-[a-z0-9-]+(@openssh\.com)?$/;

/**
 * The blob of the one certificate in a text. Allows blank lines, comments, CRLF, and words after the certificate. Throws
 * `cert_invalid` with the kind of text found. The error never repeats the text, which may be secret.
 */
export function certificateLine(text: string): Buffer {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const [line, ...more] = lines;
  if (line === undefined) throw instead('nothing');
  const [type = '', base64 = ''] = line.split(/[ \t]+/);
  const certificates = lines.filter((each) => plainTypeOf(each.split(/[ \t]+/)[0] ?? '') !== undefined).length;
  if (more.length > 0) throw instead(certificates > 1 ? `${certificates} certificates` : describe(line, type, more));
  if (plainTypeOf(type) === undefined) throw instead(describe(line, type, more));
  const blob = Buffer.from(base64, 'base64');
  // Buffer skips characters outside base64, and OpenSSH accepts only one spelling of a blob.
  if (!BASE64.test(base64) || blob.toString('base64') !== base64)
    throw instead('a certificate whose base64 is damaged');
  if (blob.toString('latin1', 4, 4 + type.length) !== type)
    throw instead('a certificate of another type than its line says');
  return blob;
}

function describe(line: string, type: string, more: readonly string[]): string {
  if (/^<(!doctype|html|\?xml|head|body)/i.test(line)) return 'an HTML page';
  if (/^[{[]/.test(line)) return 'JSON';
  if (/^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(line)) return 'a private key';
  if (/^-----BEGIN CERTIFICATE-----/.test(line)) return 'an X.509 certificate';
  if (more.length > 0) return `${more.length + 1} lines`;
  if (/^[a-z0-9-]+-cert-v0\d@openssh\.com$/.test(type)) return 'a certificate of an unsupported type';
  if (KEY_TYPE.test(type)) return 'a plain public key without a certificate';
  return 'something else';
}

function instead(what: string): TunnelError {
  return new TunnelError('cert_invalid', `expected one OpenSSH certificate, got ${what}`, {
    hint: 'Print one line, as in a -cert.pub file of ssh-keygen: `TYPE-cert-v01@openssh.com BASE64 COMMENT`.',
  });
}

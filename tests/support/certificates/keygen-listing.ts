import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificate, FOREVER } from '../../../src/tunnels/ssh/certificate/certificate.ts';
import { requireProgram } from '../machine/find-program.ts';

/** The listing of a parsed certificate in the format of `ssh-keygen -L`, for comparison. */
export function asKeygenLists(certificate: Certificate): string {
  const { type, role, plainType, keyFingerprint, caKeyBlob, caFingerprint, signature, keyId, serial } = certificate;
  const caType = caKeyBlob.toString('latin1', 4, 4 + caKeyBlob.readUInt32BE(0));
  return [
    `        Type: ${type} ${role} certificate`,
    `        Public key: ${shortName(plainType)}-CERT ${keyFingerprint}`,
    `        Signing CA: ${shortName(caType)} ${caFingerprint} (using ${signature.algorithm})`,
    `        Key ID: "${keyId}"`,
    `        Serial: ${serial}`,
    `        Valid: ${validity(certificate)}`,
    ...listed('Principals', certificate.principals),
    ...listed('Critical Options', [...certificate.criticalOptions].map(criticalOption)),
    ...listed('Extensions', [...certificate.extensions].map(extension)),
    '',
  ].join('\n');
}

/**
 * The listing of each line by `ssh-keygen -L`, times in UTC; undefined for a line that ssh-keygen rejects.
 *
 * @param good a valid line: the first line of a file has another heading
 */
export function keygenListings(directory: string, good: string, lines: readonly string[]): (string | undefined)[] {
  const path = join(directory, 'listed');
  writeFileSync(path, `${[good, ...lines].join('\n')}\n`);
  const { stdout } = spawnSync(requireProgram('ssh-keygen'), ['-L', '-f', path], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
    timeout: 120_000,
    maxBuffer: 256 * 1024 * 1024,
  });
  const found = new Map<number, string>();
  for (const part of stdout.split(`${path}:`).slice(1)) {
    const [, number, text = ''] = /^(?:(\d+):)?\n(.*)$/s.exec(part) ?? [];
    found.set(number === undefined ? 1 : Number(number), text);
  }
  if (!found.has(1)) throw new Error('ssh-keygen did not even list the good one');
  return lines.map((_, index) => found.get(index + 2));
}

/** One certificate file. */
export function keygenListing(path: string): string {
  const env = { ...process.env, TZ: 'UTC' };
  const stdout = execFileSync(requireProgram('ssh-keygen'), ['-L', '-f', path], { encoding: 'utf8', env });
  return stdout.slice(stdout.indexOf('\n') + 1);
}

function shortName(type: string): string {
  if (type === 'ssh-rsa') return 'RSA';
  return type === 'ssh-ed25519' ? 'ED25519' : 'ECDSA';
}

function validity({ validAfter, validBefore }: Certificate): string {
  const shown = (seconds: bigint) => new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  if (validBefore === FOREVER) return validAfter === 0n ? 'forever' : `after ${shown(validAfter)}`;
  return validAfter === 0n ? `before ${shown(validBefore)}` : `from ${shown(validAfter)} to ${shown(validBefore)}`;
}

function listed(title: string, items: readonly string[]): string[] {
  if (items.length === 0) return [`        ${title}: (none)`];
  return [`        ${title}: `, ...items.map((item) => `                ${item}`)];
}

function unknown(name: string, data: Buffer): string {
  if (data.length === 0) return `${name} UNKNOWN FLAG OPTION`;
  return `${name} UNKNOWN OPTION: ${data.toString('hex')} (len ${data.length})`;
}

function criticalOption([name, data]: [string, Buffer]): string {
  if (name === 'force-command' || name === 'source-address') return `${name} ${data.toString('utf8', 4)}`;
  return name === 'verify-required' ? name : unknown(name, data);
}

const PERMISSIONS = /^(permit-(X11-forwarding|agent-forwarding|port-forwarding|pty|user-rc)|no-touch-required)$/;

function extension([name, data]: [string, Buffer]): string {
  return PERMISSIONS.test(name) ? name : unknown(name, data);
}

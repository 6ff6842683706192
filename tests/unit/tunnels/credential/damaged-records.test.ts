import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CertificateStore } from '../../../../src/tunnels/credential/certificate-store.ts';
import { CommandIssuer } from '../../../../src/tunnels/credential/issuer.ts';
import { NeedRecord } from '../../../../src/tunnels/credential/need-record.ts';
import { buildCertificate, lineOf } from '../../../support/certificates/built-certificate.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const ACTOR = 'atm';
const CERTIFICATE = `${lineOf(buildCertificate({}))}\n`;
const NEEDED = { watched_since: '2026-07-01T10:00:00.000Z', last_needed_at: '2026-07-20T10:00:00.000Z' };

/** What happens to a record while no daemon runs; the first argument is its content. */
const DAMAGES: readonly (readonly [string, (content: string, path: string) => void])[] = [
  ['empty', (_, path) => writeFileSync(path, '')],
  ['truncated', (content, path) => writeFileSync(path, content.slice(0, content.length >> 1))],
  ['full of NUL bytes', (content, path) => writeFileSync(path, Buffer.alloc(content.length))],
  ['followed by NUL bytes', (content, path) => writeFileSync(path, `${content}${'\0'.repeat(100)}`)],
  ['written twice', (content, path) => writeFileSync(path, content + content)],
  ['something else', (_, path) => writeFileSync(path, 'hello\n')],
  ['larger than any record', (_, path) => writeFileSync(path, Buffer.alloc(17 * 1024 * 1024, 'A'))],
  ['a FIFO', (_, path) => execFileSync('mkfifo', [path])],
  ['a directory', (_, path) => mkdirSync(path)],
];

/** The state directory of an earlier run, with one record of that content. */
function stateWith(name: string, content: string, damage: (content: string, path: string) => void) {
  const dir = tempDir('damaged');
  onTestFinished(() => dir[Symbol.dispose]());
  const path = join(dir.path, 'certificates', ACTOR, name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  damage(content, path);
  return { directory: dir.path, path };
}

describe('a saved certificate', () => {
  const kept = (directory: string) => new CommandIssuer(directory, ACTOR, process.env).kept();
  const saved = (directory: string) => new CertificateStore(directory, ACTOR).save(CERTIFICATE);

  test.each(DAMAGES)('is refused when the file is %s, and a new one takes its place', async (what, damage) => {
    const { directory, path } = stateWith('current.pub', CERTIFICATE, damage);
    await expect(kept(directory)).rejects.toMatchObject({
      code: expect.stringMatching(/^(cert_invalid|state_dir_unusable)$/),
    });
    // Only a person removes a directory.
    if (what === 'a directory') rmSync(path, { recursive: true });
    await saved(directory);
    expect((await kept(directory))?.line).toBe(CERTIFICATE.trim());
  });

  test('is not read through a symbolic link, and the next one leaves the target of the link alone', async () => {
    const { directory, path } = stateWith('current.pub', CERTIFICATE, (content, at) => {
      writeFileSync(`${at}.elsewhere`, content);
      symlinkSync(`${at}.elsewhere`, at);
    });
    await expect(kept(directory)).rejects.toMatchObject({ code: 'state_dir_unusable' });
    writeFileSync(`${path}.elsewhere`, 'of somebody else');
    await saved(directory);
    expect(readFileSync(`${path}.elsewhere`, 'utf8')).toBe('of somebody else');
    expect((await kept(directory))?.line).toBe(CERTIFICATE.trim());
  });
});

describe('the record of a static key', () => {
  const read = async (directory: string) => {
    const warnings: string[] = [];
    const record = new NeedRecord(directory, ACTOR, {
      warn: (_: unknown, text?: string) => void warnings.push(`${text}`),
    });
    await record.begin();
    await record.flush();
    return { needed: record.lastNeededAt?.toISOString(), since: record.watchedSince, warnings };
  };

  test('says since when the key was not needed, over a restart', async () => {
    const { directory } = stateWith('static-key.json', JSON.stringify(NEEDED), (text, path) =>
      writeFileSync(path, text),
    );
    expect(await read(directory)).toMatchObject({ needed: NEEDED.last_needed_at, warnings: [] });
  });

  test.each(DAMAGES)(
    'starts a new record when the file is %s, and says that earlier uses are unknown',
    async (what, damage) => {
      const before = Date.now();
      const { directory, path } = stateWith('static-key.json', `${JSON.stringify(NEEDED)}\n`, damage);
      const { needed, since, warnings } = await read(directory);
      expect(needed).toBeUndefined();
      expect(since.getTime()).toBeGreaterThanOrEqual(before);
      expect(warnings[0]).toContain('earlier uses of the static key are unknown');
      if (what !== 'a directory')
        expect(JSON.parse(readFileSync(path, 'utf8')).watched_since).toBe(since.toISOString());
    },
  );
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const manifest = z.looseObject({ version: z.string() });
const lock = z.looseObject({
  version: z.string(),
  packages: z.record(z.string(), z.looseObject({ version: z.string().optional() })),
});

/** The version of the checkout. Throws if package.json, package-lock.json, CHANGELOG.md and the example for Ansible do not agree. */
export function releaseVersion(checkout: string): string {
  const text = (name: string) => readFileSync(join(checkout, name), 'utf8');
  const { version } = manifest.parse(JSON.parse(text('package.json')));
  const { version: locked, packages } = lock.parse(JSON.parse(text('package-lock.json')));
  if (locked !== version || packages['']?.version !== version) {
    throw new Error(`package.json has version ${version}, package-lock.json ${locked}: run npm install`);
  }
  const written = /^## (\S+) - (\d{4}-\d{2}-\d{2})$/m.exec(text('CHANGELOG.md'))?.[1];
  if (written !== version) {
    throw new Error(`CHANGELOG.md needs a section "## ${version} - DATE" as its newest release; found ${written}`);
  }
  const example = 'scripts/ansible/inventory.example.yml';
  const packaged = /fleet-mesh_(\S+)-1_all\.deb/.exec(text(example))?.[1];
  if (packaged !== version) throw new Error(`${example} names the package of ${packaged}; expected ${version}`);
  return version;
}

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BUNDLED_PACKAGES } from '../lib/bundled-packages.ts';

/** The parts of npm's CycloneDX document that are read or changed here; all others stay. */
const component = z.looseObject({
  'bom-ref': z.string(),
  name: z.string(),
  properties: z.array(z.looseObject({ name: z.string() })).optional(),
});
const bomSchema = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  serialNumber: z.string(),
  metadata: z.looseObject({ timestamp: z.string(), component }),
  components: z.array(component),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()).optional() })),
});
type Bom = z.infer<typeof bomSchema>;

const DEVELOPMENT = 'cdx:npm:package:development';

/** The bill of materials of the checkout (CycloneDX, JSON), from package-lock.json by `npm sbom`. Equal input, equal bytes. */
export function makeSbom(checkout: string, epoch: number): string {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const printed = execFileSync('npm', args, { cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const bom = bomSchema.parse(JSON.parse(printed));
  return `${JSON.stringify(shippedBom(bom, epoch), null, 2)}\n`;
}

/**
 * Keeps the packages that the release contains: those that the program loads, and the libraries inside the status page. Time and
 * serial number follow from the source, because npm takes the clock and chance. Pure.
 */
function shippedBom(bom: Bom, epoch: number): Bom {
  const bundled: readonly string[] = BUNDLED_PACKAGES;
  const isDevelopment = ({ properties = [] }: z.infer<typeof component>) =>
    properties.some(({ name }) => name === DEVELOPMENT);
  const components = bom.components
    .filter((each) => !isDevelopment(each) || bundled.includes(each.name))
    .map(({ properties = [], ...each }) => {
      const inside = bundled.includes(each.name);
      const kept = properties.filter(({ name }) => name !== DEVELOPMENT);
      return { ...each, ...(inside ? { scope: 'required' } : {}), ...(kept.length > 0 ? { properties: kept } : {}) };
    });
  const root = bom.metadata.component['bom-ref'];
  const shipped = new Set([root, ...components.map((each) => each['bom-ref'])]);
  const dependencies = bom.dependencies
    .filter(({ ref }) => shipped.has(ref))
    .map(({ dependsOn, ...each }) => ({ ...each, dependsOn: (dependsOn ?? []).filter((ref) => shipped.has(ref)) }));
  const metadata = {
    ...bom.metadata,
    timestamp: new Date(epoch * 1_000).toISOString(),
    // npm takes the name of the directory.
    component: { ...bom.metadata.component, type: 'application', name: root.slice(0, root.lastIndexOf('@')) },
  };
  const content = { ...bom, metadata, components, dependencies, serialNumber: '' };
  return { ...content, serialNumber: `urn:uuid:${uuidOf(JSON.stringify(content))}` };
}

/** A UUID of the content (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

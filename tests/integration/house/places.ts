/** Which districts each district of src may import: the order of the house, written independently of biome.order.jsonc. */
export const DISTRICTS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  config: ['base'],
  telemetry: ['base', 'config'],
  tunnels: ['base', 'config', 'telemetry'],
  retirement: ['base', 'config', 'telemetry', 'tunnels'],
  machine: ['base', 'config', 'telemetry', 'tunnels'],
  operator: ['base', 'config', 'telemetry', 'tunnels', 'retirement', 'machine'],
  daemon: ['base', 'config', 'telemetry', 'tunnels', 'retirement', 'machine', 'operator'],
};

/** Which folders each folder of tunnels may import: `ssh` and `forward` meet only in `tunnel`. */
export const TUNNELS: Readonly<Record<string, readonly string[]>> = {
  channel: [],
  ssh: ['channel'],
  forward: ['channel'],
  clients: [],
  credential: ['channel', 'ssh'],
  probe: ['channel'],
  link: ['channel', 'ssh', 'credential'],
  tunnel: ['channel', 'ssh', 'forward', 'clients', 'credential', 'probe', 'link'],
};

const EVERYWHERE = ['base', 'config', 'telemetry', 'tunnels', 'retirement', 'machine', 'operator', 'daemon'];

/** The folders, below src, of each third-party package; an empty name is src itself. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@noble/post-quantum': ['tunnels/ssh/key-exchange'],
  commander: ['', 'operator/commands'],
  fastify: ['operator/http'],
  pino: ['telemetry/log'],
  'prom-client': ['telemetry/metrics'],
  'sd-notify': ['machine/systemd'],
  ssh2: ['tunnels/ssh'],
  yaml: ['config', 'retirement/plan'],
  zod: EVERYWHERE,
};

/** Packages that are only in the bundle of the status page. */
export const BUNDLED: Readonly<Record<string, readonly string[]>> = {
  preact: ['operator/page/app'],
  'preact/hooks': ['operator/page/app'],
  uplot: ['operator/page/app'],
};

/** Whether a file in the folder `from` may import a file in the folder `to`; both below src. */
export function mayImportFolder(from: string, to: string): boolean {
  const [district = '', wing = ''] = from.split('/');
  const [otherDistrict = '', otherWing = ''] = to.split('/');
  if (district === '') return true;
  if (district !== otherDistrict) return DISTRICTS[district]?.includes(otherDistrict) ?? false;
  return district !== 'tunnels' || wing === otherWing || (TUNNELS[wing]?.includes(otherWing) ?? false);
}

/** Whether a file in the folder `from`, below src, may import the package. */
export function mayImportPackage(from: string, name: string): boolean {
  return (PACKAGES[name] ?? PACKAGES[packageOf(name)] ?? BUNDLED[name] ?? []).some(
    (place) => from === place || (place !== '' && from.startsWith(`${place}/`)),
  );
}

/** The package of an import with a scope, e.g. `@scope/package` of `@scope/package/file.js`. */
function packageOf(name: string): string {
  return name.startsWith('@') ? name.split('/', 2).join('/') : name;
}

import { z } from 'zod';

const oldUnit = z.strictObject({
  unit: z.string(),
  active: z.boolean(),
  enabled: z.boolean(),
  /** TCP ports of this node that it listens on. */
  ports: z.array(z.int()),
});

/** How the node was before an installation: enough to bring that back. */
const before = z.strictObject({
  /** Text by path, null for what was not there. Without the configuration. */
  files: z.record(z.string(), z.string().nullable()),
  /** Targets of symbolic links by their paths. */
  links: z.record(z.string(), z.string().nullable()),
  /** The directory of the release that came with it; null where that was there already. */
  added_release: z.string().nullable(),
  running: z.boolean(),
  /** Units that it enabled, and those that it disabled. */
  enabled: z.array(z.string()),
  disabled: z.array(z.string()),
  /** Socket units that it has brought. */
  sockets: z.array(z.string()),
  /** ssh units that it took over from. */
  old_units: z.array(oldUnit),
  /** The record of that time. */
  record: z.string().nullable(),
  /** Whether the configuration came with it. */
  wrote_config: z.boolean(),
  /** Whether it has turned lingering on. */
  turned_lingering_on: z.boolean().default(false),
});

/** `install.json`, beside the program. */
export const recordSchema = z.strictObject({
  schema: z.literal(1),
  release: z.string(),
  /** All files of the installation that are not the operator's, the program excepted. */
  files: z.array(z.string()),
  /** All units that are enabled. */
  units: z.array(z.string()),
  /** ssh units that were taken over from, ever. */
  replaced: z.array(z.string()),
  lingering: z.enum(['was on', 'turned on']).nullable(),
  /** The link by which people call the program; null where something of theirs is called so. */
  command: z.string().nullable().default(null),
  before: before.nullable(),
});

export type InstallRecord = z.output<typeof recordSchema>;
export type Before = z.output<typeof before>;

export function recordText(record: InstallRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

import { z } from 'zod';

const oldUnit = z.strictObject({
  unit: z.string(),
  active: z.boolean(),
  enabled: z.boolean(),
  /** TCP ports of this node on which the unit listens. */
  ports: z.array(z.int()),
});

/** The state of the node before an installation: enough to restore it. */
const before = z.strictObject({
  /** Text by path; null: the file did not exist. Without the configuration. */
  files: z.record(z.string(), z.string().nullable()),
  /** Targets of symbolic links by path; null: the link did not exist. */
  links: z.record(z.string(), z.string().nullable()),
  /** The directory of the release that the installation added; null: it existed before. */
  added_release: z.string().nullable(),
  running: z.boolean(),
  /** Units that the installation enabled, and units that it disabled. */
  enabled: z.array(z.string()),
  disabled: z.array(z.string()),
  /** Socket units that the installation started. */
  sockets: z.array(z.string()),
  /** ssh units that the installation replaced. */
  old_units: z.array(oldUnit),
  /** The record before the installation. */
  record: z.string().nullable(),
  /** Whether the installation wrote the configuration. */
  wrote_config: z.boolean(),
  /** Whether the installation turned lingering on. */
  turned_lingering_on: z.boolean().default(false),
});

/** `install.json`, beside the program. */
export const recordSchema = z.strictObject({
  schema: z.literal(1),
  release: z.string(),
  /** All files of the installation, except the program and files of the operator. */
  files: z.array(z.string()),
  /** All units that are enabled. */
  units: z.array(z.string()),
  /** ssh units that this or an earlier installation replaced. */
  replaced: z.array(z.string()),
  lingering: z.enum(['was on', 'turned on']).nullable(),
  /** The link by which people call the program; null: another program has that name. */
  command: z.string().nullable().default(null),
  before: before.nullable(),
});

export type InstallRecord = z.output<typeof recordSchema>;
export type Before = z.output<typeof before>;

export function recordText(record: InstallRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

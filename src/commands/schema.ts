import { z } from 'zod';
import { configJsonSchema } from '../config/schema.ts';
import { status } from '../health/status.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

/** What has a schema, and the JSON Schema (draft 2020-12) of it; undefined for what this version does not have yet. */
const SCHEMAS: Record<string, (() => unknown) | undefined> = {
  config: configJsonSchema,
  plan: undefined,
  status: () => z.toJSONSchema(status),
};

export const SCHEMA_NAMES = Object.keys(SCHEMAS);

/** `fleet-mesh schema NAME`: prints a JSON Schema. */
export function schema(name: string, io: CommandIo): ExitCode {
  const make = Object.hasOwn(SCHEMAS, name) ? SCHEMAS[name] : undefined;
  if (make !== undefined) {
    io.out(`${JSON.stringify(make(), null, 2)}\n`);
    return EXIT.ok;
  }
  const known = SCHEMA_NAMES.filter((candidate) => SCHEMAS[candidate] !== undefined).join(' and ');
  if (SCHEMA_NAMES.includes(name)) {
    io.err(`The schema of the ${name} does not exist yet in this version; there are ${known}.\n`);
    return EXIT.failed;
  }
  io.err(`There is no schema ${JSON.stringify(name)}; there are ${known}.\n`);
  return EXIT.usage;
}

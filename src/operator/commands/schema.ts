import { z } from 'zod';
import { configJsonSchema } from '../../config/schema.ts';
import { planJsonSchema } from '../../retirement/plan/schema.ts';
import { status } from '../../telemetry/status/status.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

/** What has a schema, and the JSON Schema (draft 2020-12) of it. */
const SCHEMAS: Record<string, () => unknown> = {
  config: configJsonSchema,
  plan: planJsonSchema,
  status: () => z.toJSONSchema(status, { io: 'input' }),
};

export const SCHEMA_NAMES = Object.keys(SCHEMAS);

/** `fleet-mesh schema NAME`: prints a JSON Schema. */
export function schema(name: string, io: CommandIo): ExitCode {
  const make = Object.hasOwn(SCHEMAS, name) ? SCHEMAS[name] : undefined;
  if (make === undefined) {
    io.err(`There is no schema ${JSON.stringify(name)}; there are ${SCHEMA_NAMES.join(', ')}.\n`);
    return EXIT.usage;
  }
  io.out(`${JSON.stringify(make(), null, 2)}\n`);
  return EXIT.ok;
}

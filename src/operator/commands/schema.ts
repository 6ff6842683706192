import { z } from 'zod';
import { configJsonSchema } from '../../config/schema.ts';
import { planJsonSchema } from '../../retirement/plan/schema.ts';
import { status } from '../../telemetry/status/status.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

/** The names of the schemas, with the generators of their JSON Schema (draft 2020-12). */
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
    io.err(`fleet-mesh: unknown schema ${JSON.stringify(name)}; schemas: ${SCHEMA_NAMES.join(', ')}\n`);
    return EXIT.usage;
  }
  io.out(`${JSON.stringify(make(), null, 2)}\n`);
  return EXIT.ok;
}

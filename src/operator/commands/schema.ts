import { z } from 'zod';
import { configJsonSchema } from '../../config/schema.ts';
import { planJsonSchema } from '../../retirement/plan/schema.ts';
import { status } from '../../telemetry/status/status.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { SCHEMA_NAMES } from './schema-names.ts';

/** The generators of the JSON Schemas (draft 2020-12). */
const SCHEMAS: Record<(typeof SCHEMA_NAMES)[number], () => unknown> = {
  config: configJsonSchema,
  plan: planJsonSchema,
  status: () => z.toJSONSchema(status, { io: 'input' }),
};

/** `fleet-mesh schema NAME`: prints a JSON Schema. */
export function schema(name: string, io: CommandIo): ExitCode {
  const known = SCHEMA_NAMES.find((each) => each === name);
  if (known === undefined) {
    io.err(`fleet-mesh: unknown schema ${JSON.stringify(name)}; schemas: ${SCHEMA_NAMES.join(', ')}\n`);
    return EXIT.usage;
  }
  io.out(`${JSON.stringify(SCHEMAS[known](), null, 2)}\n`);
  return EXIT.ok;
}

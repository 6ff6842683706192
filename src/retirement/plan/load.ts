import { resolve } from 'node:path';
import type { z } from 'zod';
import { type DocumentKind, type ParsedDocument, parseDocument, readDocument } from '../../config/document.ts';
import { type Outcome, outcomeOf, parseAside } from '../../config/parse-aside.ts';
import type { Plan } from './plan.ts';
import { checkReferences } from './policy/check-references.ts';
import { planJsonSchema, planSchema } from './schema.ts';

/** A plan, and the positions of its parts in the file. */
export type LocatedPlan = { readonly plan: Plan } & Pick<ParsedDocument<unknown>, 'locate'>;

const KIND: DocumentKind<z.infer<typeof planSchema>> = {
  schema: planSchema,
  jsonSchema: planJsonSchema,
  parts: 'version, gates, waves, workloads and exceptions',
  checkAcross: checkReferences,
};

/** Reads the drain plan at `path`. Rejects with a ConfigError that carries all problems. */
export async function loadPlan(path: string): Promise<Plan> {
  return parseAside(import.meta.url, parseOutcome, await readDocument(path), path);
}

/** {@link parsePlan} with an outcome that can be copied. */
export function parseOutcome(bytes: Uint8Array, path: string): Outcome<Plan> {
  return outcomeOf(() => parsePlan(Buffer.from(bytes), path).plan);
}

/** Parses a plan; `path` is only used in messages. Throws a ConfigError. */
export function parsePlan(bytes: Buffer, path: string): LocatedPlan {
  const { parsed, sha256, locate } = parseDocument(bytes, path, KIND);
  const { version: _, ...plan } = parsed;
  return { plan: { ...plan, path: resolve(path), sha256 }, locate };
}

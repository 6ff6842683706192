import type { z } from 'zod';
import { type Status, status } from './status.ts';

/** Where the snapshot of a newer daemon has a field that this program does not know. */
interface Unknown {
  readonly path: readonly PropertyKey[];
  readonly key: string;
  readonly value: unknown;
}

/**
 * A snapshot out of its JSON. Changes of the snapshot are additive (SPEC section 4): fields that this program does not know
 * are kept as they came, for whoever reads the JSON that is printed. Throws the ZodError of anything that is no snapshot.
 */
export function decodeStatus(json: unknown): Status {
  const first = status.safeParse(json);
  if (first.success) return first.data;
  const known: unknown = structuredClone(json);
  const unknowns = first.error.issues.flatMap((issue) => take(known, issue));
  const decoded = status.parse(known);
  for (const { path, key, value } of unknowns) {
    const holder = at(decoded, path);
    if (holder) holder[key] = value;
  }
  return decoded;
}

/** Takes out of `json` what the issue says is unknown. */
function take(json: unknown, issue: z.core.$ZodIssue): Unknown[] {
  if (issue.code !== 'unrecognized_keys') return [];
  const holder = at(json, issue.path);
  if (!holder) return [];
  return issue.keys.map((key) => {
    const value = holder[key];
    delete holder[key];
    return { path: issue.path, key, value };
  });
}

function at(root: unknown, path: readonly PropertyKey[]): Record<PropertyKey, unknown> | undefined {
  let found: unknown = root;
  for (const key of path) found = isHolder(found) ? found[key] : undefined;
  return isHolder(found) ? found : undefined;
}

function isHolder(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}

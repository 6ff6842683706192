import type { z } from 'zod';
import { type Status, status } from './status.ts';

/** A field in the snapshot of a newer daemon that this program does not know. */
interface Unknown {
  readonly path: readonly PropertyKey[];
  readonly key: string;
  readonly value: unknown;
}

/**
 * Decodes a snapshot from JSON. Changes of the snapshot are additive, so unknown fields are kept
 * unchanged for readers of the printed JSON. Throws a ZodError if the JSON is no snapshot.
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

/** Removes the unknown fields of the issue from `json` and returns them. */
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

import type { z } from 'zod';
import { didYouMean } from '../base/text/closest.ts';
import { quoted } from './expectation.ts';
import type { ConfigPath, Finding } from './problem.ts';

type Issue = z.core.$ZodIssue;
type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Turns zod issues into one finding per mistake, with suggestions from the value or the schema. */
export function findingsOf(issues: readonly Issue[], data: unknown, schema: JsonSchema): Finding[] {
  return issues.flatMap((issue) => findingsOfIssue(issue, [], data, schema));
}

function findingsOfIssue(issue: Issue, parent: ConfigPath, data: unknown, schema: JsonSchema): Finding[] {
  const path = [...parent, ...issue.path.map((segment) => (typeof segment === 'number' ? segment : String(segment)))];
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path);
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKeyMessage(key, known), at: 'key' }));
  }
  if (issue.code === 'invalid_union') {
    // A branch whose issues all lie inside the value is the intended branch.
    const meant = issue.errors.find((branch) => branch.every(isInside));
    if (meant !== undefined && meant.length > 0)
      return meant.flatMap((inner) => findingsOfIssue(inner, path, data, schema));
  }
  const message = `${issue.message}${didYouMean(valueAt(data, path), wordsOf(issue))}`;
  return [{ path, message, at: 'value' }];
}

function isInside(issue: Issue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys';
}

function unknownKeyMessage(key: string, known: readonly string[]): string {
  const expected = known.length === 0 ? 'an empty mapping, {}' : `one of ${known.join(', ')}`;
  return `unknown key ${quoted(key)}; expected ${expected}${didYouMean(key, known)}`;
}

/** The valid words, if the issue is about a choice of words. */
function wordsOf(issue: Issue): string[] {
  if (issue.code === 'invalid_union') return issue.errors.flat().flatMap(wordsOf);
  if (issue.code !== 'invalid_value') return [];
  return issue.values.filter((value) => typeof value === 'string');
}

/** The allowed keys of the mapping at `path`, from the JSON Schema. */
function keysAt(schema: JsonSchema, path: ConfigPath): string[] {
  let candidates = variants(schema);
  for (const segment of path) {
    candidates = candidates.flatMap((candidate) => childrenOf(candidate, segment)).flatMap(variants);
  }
  return candidates.flatMap((candidate) => Object.keys(candidate.properties ?? {}));
}

function childrenOf(schema: JsonSchema, segment: string | number): JsonSchema[] {
  const child =
    typeof segment === 'number' ? schema.items : (schema.properties?.[segment] ?? schema.additionalProperties);
  return [child].flat().filter((candidate) => typeof candidate === 'object');
}

function variants(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf?.flatMap((variant) => (typeof variant === 'object' ? variants(variant) : [])) ?? [schema];
}

/** The value at `path`; undefined if missing. */
function valueAt(data: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((value, segment) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    return Object.entries(value).find(([key]) => key === String(segment))?.[1];
  }, data);
}

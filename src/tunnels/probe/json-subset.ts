import { printable } from '../../base/text/printable.ts';
import type { JsonValue } from '../../config/config.ts';
import { QUOTED_LIMIT } from './through-channel.ts';

type JsonObject = { readonly [key: string]: JsonValue };

/** Names only the kind of an object or array: a full answer may be too deep to print. */
function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return printable(JSON.stringify(value), QUOTED_LIMIT);
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Describes the first place where `actual` does not contain `expected`; undefined when it does. Objects may have more
 * fields than expected. Lists must have equal lengths; elements are compared in the same way. `path` names `actual`.
 */
export function difference(expected: JsonValue, actual: unknown, path = ''): string | undefined {
  const differs = () =>
    `${path === '' ? 'the answer' : `field ${path}`} is ${show(actual)}, expected ${show(expected)}`;
  if (isList(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return differs();
    for (const [index, element] of expected.entries()) {
      const found = difference(element, actual[index], `${path}[${index}]`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (isObject(expected)) {
    if (!isObject(actual)) return differs();
    for (const [key, value] of Object.entries(expected)) {
      const field = path === '' ? key : `${path}.${key}`;
      const found = difference(value, Object.hasOwn(actual, key) ? actual[key] : undefined, field);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return expected === actual ? undefined : differs();
}

import { DURATION_PATTERN } from '../../src/config/duration.ts';
import { ADDRESS_PATTERN } from '../../src/config/schema/scalars.ts';

/** The part of JSON Schema that our schemas use. */
export interface SchemaNode {
  readonly description?: string;
  readonly default?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface Field {
  /** Keys from the top; NAME is a name that the file defines, [] is each item of a list. */
  readonly path: readonly string[];
  readonly description: string;
  /** The valid values, in words. */
  readonly type: string;
  readonly isRequired: boolean;
  /** The schema of the value itself. */
  readonly node: SchemaNode;
}

/** Every field of the file once, in the order of the schema. */
export function fieldsOf(schema: SchemaNode): Field[] {
  const seen = new Set<string>();
  return walk(schema, []).filter(({ path }) => {
    const key = path.join('.');
    return seen.has(key) ? false : seen.add(key);
  });
}

function walk(node: SchemaNode, path: readonly string[]): Field[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([key, child]) => [
    {
      path: [...path, key],
      description: child.description ?? '',
      type: typeOf(child),
      isRequired: node.required?.includes(key) === true,
      node: child,
    },
    ...walk(child, [...path, key]),
  ]);
  const { additionalProperties: named, items, anyOf = [] } = node;
  return [
    ...own,
    ...(typeof named === 'object' ? walk(named, [...path, 'NAME']) : []),
    ...(items === undefined ? [] : walk(items, [...path, '[]'])),
    ...anyOf.flatMap((variant) => walk(variant, path)),
  ];
}

/** Names for the forms of text, by pattern. */
const FORMS: ReadonlyMap<string | undefined, string> = new Map([
  [DURATION_PATTERN.source, 'duration'],
  [ADDRESS_PATTERN.source, 'address'],
]);

function typeOf(node: SchemaNode): string {
  const { $ref: reference, type } = node;
  if (reference !== undefined) return reference.split('/').at(-1) ?? '';
  if (typeof type === 'object') return type.map((each) => typeOf({ ...node, type: each })).join(', or ');
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(typeOf))].join(', or ');
  if (node.const !== undefined) return String(node.const);
  if (node.enum !== undefined) return node.enum.join(' | ');
  switch (type) {
    case 'boolean':
      return 'true | false';
    case 'array':
      return 'list';
    case 'object':
      return 'mapping';
    case 'integer':
    case 'number':
      return bounds(node);
    case 'null':
      return 'null';
    case 'string':
      return node.format === 'date-time' ? 'time' : (FORMS.get(node.pattern) ?? 'text');
    default:
      return 'any value';
  }
}

function bounds({ type, minimum, maximum }: SchemaNode): string {
  const kind = type === 'integer' ? 'whole number' : 'number';
  return minimum === undefined || maximum === undefined ? kind : `${kind}, ${minimum} to ${maximum}`;
}

import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../../src/config/load.ts';
import { configJsonSchema } from '../../../src/config/schema.ts';

const CONFIG = new URL('../../../config/', import.meta.url);
const ENV = { HOME: '/home/fleet' };
const EXAMPLE = readFileSync(new URL('example-tunnels.yaml', CONFIG), 'utf8');

const FILES = (await readdir(CONFIG)).filter((name) => name.endsWith('-tunnels.yaml')).sort();

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Every field of the schema, with `*` for names and list items. */
function fieldsOf(schema: JsonSchema, path = ''): string[] {
  const children = [...(schema.anyOf ?? []), schema.items, schema.additionalProperties].flat();
  const nested = children
    .filter((child) => typeof child === 'object')
    .flatMap((child) => fieldsOf(child, (schema.anyOf ?? []).includes(child) ? path : `${path}.*`));
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, child]) => [
    `${path}.${key}`,
    ...(typeof child === 'object' ? fieldsOf(child, `${path}.${key}`) : []),
  ]);
  return [...own, ...nested];
}

/** Whether a path of the tree matches; `*` matches any name. */
function isPresent(tree: unknown, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true;
  if (typeof tree !== 'object' || tree === null) return false;
  return Object.entries(tree).some(([name, value]) => (key === '*' || key === name) && isPresent(value, rest));
}

describe('config/', () => {
  it('contains exactly the shipped configurations', () => {
    expect(FILES).toEqual(['example-tunnels.yaml', 'railiance01-tunnels.yaml', 'workstation-tunnels.yaml']);
  });

  it.each(FILES)('accepts %s', async (name) => {
    const config = await loadConfig(fileURLToPath(new URL(name, CONFIG)), ENV);
    expect(config.tunnels.size).toBeGreaterThan(1);
  });

  it('serves the two ports of the fleet facts with railiance01-tunnels.yaml', async () => {
    const { node, tunnels, actors, hosts } = await loadConfig(
      fileURLToPath(new URL('railiance01-tunnels.yaml', CONFIG)),
      ENV,
    );
    const served = [...tunnels.values()].map(({ listen, target, host, production }) => [
      listen.kind === 'tcp' && listen.port,
      target?.kind === 'tcp' && target.host,
      host,
      production,
    ]);
    expect(node).toBe('railiance01');
    expect(served).toEqual([
      [18000, '10.43.170.94', 'coulombcore', true],
      [18765, '10.43.103.154', 'coulombcore', true],
    ]);
    expect(actors.get('atm-fleet-mesh')?.key).toMatchObject({ path: '/home/fleet/.ssh/id_ops' });
    expect([...hosts.keys()]).toEqual(['railiance01', 'coulombcore', 'workstation']);
  });

  it('has a current tunnels.schema.json (`npm run schemas` writes the file)', () => {
    expect(JSON.parse(readFileSync(new URL('tunnels.schema.json', CONFIG), 'utf8'))).toEqual(configJsonSchema());
  });
});

describe('example-tunnels.yaml', () => {
  const fields = fieldsOf(configJsonSchema());

  it('finds nested fields of the schema', () => {
    expect(fields).toEqual(
      expect.arrayContaining(['.node', '.hosts.*.jump.actor', '.tunnels.*.drain.successor.compare.*.path']),
    );
    expect(fields.length).toBeGreaterThan(70);
  });

  // The probe of the successor has the keys of the tunnel probe, so the example explains them once.
  it.each(fields.filter((field) => !field.startsWith('.tunnels.*.drain.successor.probe.')))('shows %s', (field) => {
    expect(isPresent(parse(EXAMPLE), field.split('.').slice(1))).toBe(true);
  });
});

describe(configJsonSchema, () => {
  it('describes every field', () => {
    const undescribed: string[] = [];
    const walk = (schema: JsonSchema, path: string) => {
      for (const [key, child] of Object.entries(schema.properties ?? {})) {
        if (typeof child !== 'object') continue;
        if (child.description === undefined) undescribed.push(`${path}.${key}`);
        walk(child, `${path}.${key}`);
      }
      for (const child of [...(schema.anyOf ?? []), schema.items, schema.additionalProperties].flat()) {
        if (typeof child === 'object') walk(child, path);
      }
    };
    walk(configJsonSchema(), '');
    expect(undescribed).toEqual([]);
  });

  it('accepts every file that the loader accepts', () => {
    // zod ignores a `oneOf` that only requires keys; check/tunnels.test.ts covers that rule.
    const json = JSON.stringify(configJsonSchema(), (key, value: unknown) => (key === 'oneOf' ? undefined : value));
    const schema = z.fromJSONSchema(JSON.parse(json));
    for (const name of FILES) {
      expect(schema.safeParse(parse(readFileSync(new URL(name, CONFIG), 'utf8'))).error).toBeUndefined();
    }
    expect(schema.safeParse({ version: 1 }).success).toBe(false);
  });
});

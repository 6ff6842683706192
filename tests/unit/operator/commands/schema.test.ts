import { describe, expect, it } from 'vitest';
import { schema } from '../../../../src/operator/commands/schema.ts';

function run(name: string) {
  let out = '';
  let err = '';
  const code = schema(name, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

describe(schema, () => {
  it.each(['config', 'plan', 'status'])('prints the JSON Schema of the %s', (name) => {
    const { code, out, err } = run(name);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' });
  });

  it.each(['plans', '', 'toString'])('rejects the schema name %j', (name) => {
    expect(run(name)).toMatchObject({ code: 64, out: '' });
  });
});

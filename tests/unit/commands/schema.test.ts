import { describe, expect, it } from 'vitest';
import { schema } from '../../../src/commands/schema.ts';

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
  it.each(['config', 'status'])('prints the JSON Schema of the %s', (name) => {
    const { code, out, err } = run(name);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' });
  });

  it('says that the schema of the plan is still to come', () => {
    expect(run('plan')).toEqual({
      code: 1,
      out: '',
      err: 'The schema of the plan does not exist yet in this version; there are config and status.\n',
    });
  });

  it.each(['plans', '', 'toString'])('knows no schema %j', (name) => {
    expect(run(name)).toMatchObject({ code: 64, out: '' });
  });
});

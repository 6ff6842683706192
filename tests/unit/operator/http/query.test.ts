import { describe, expect, it } from 'vitest';
import { oneOf, readQuery, text } from '../../../../src/operator/http/query.ts';

const BOTH = { production: oneOf(['true', 'false']), since: text };

describe(readQuery, () => {
  it.each([
    [undefined, {}],
    [{}, {}],
    [{ production: 'false' }, { production: 'false' }],
    [
      { since: '', production: 'true' },
      { since: '', production: 'true' },
    ],
  ])('accepts the query %j', (query, values) => {
    expect(readQuery(query, BOTH)).toEqual({ values });
  });

  it.each([
    [{ prodution: 'true' }, BOTH, 'The query parameters here are: production, since.'],
    [{ production: 'yes', prodution: 'true' }, BOTH, 'The query parameters here are: production, since.'],
    [{ production: 'yes' }, BOTH, '"production" must be one of: true, false.'],
    [{ production: ['true', 'true'] }, BOTH, '"production" must be one of: true, false.'],
    [{ since: ['1h', '2h'] }, BOTH, '"since" may be given once.'],
    [{ until: '1h' }, { since: text }, 'The only query parameter here is "since".'],
    [{ require: 'up' }, { require: oneOf(['retirable']) }, '"require" must be: retirable.'],
    [{ since: '1h' }, {}, 'This path takes no query parameters.'],
  ])('rejects the query %j', (query, shape, detail) => {
    expect(readQuery(query, shape)).toEqual({ problem: expect.objectContaining({ status: 400, detail }) });
  });

  it('rejects a parameter with the name of an inherited property', () => {
    const query = Object.fromEntries([['__proto__', 'x']]);
    expect(readQuery(query, BOTH)).toHaveProperty('problem');
  });
});

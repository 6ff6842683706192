import { describe, expect, it } from 'vitest';
import { prometheusTarget } from '../../../../src/machine/install/prometheus-target.ts';

describe(prometheusTarget, () => {
  it.each([
    ['127.0.0.1', '127.0.0.1:9780'],
    ['localhost', 'localhost:9780'],
    ['::1', '[::1]:9780'],
    ['192.0.2.1', '192.0.2.1:9780'],
    ['0.0.0.0', '127.0.0.1:9780'],
    ['::', '[::1]:9780'],
  ])('names for an endpoint on %s the address %s, and the node', (host, target) => {
    const endpoint = { listen: { kind: 'tcp', host, port: 9_780 }, allowRemote: true } as const;
    expect(JSON.parse(prometheusTarget({ node: 'here', endpoint }))).toEqual([
      { targets: [target], labels: { node: 'here' } },
    ]);
  });
});

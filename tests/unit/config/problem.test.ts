import { describe, expect, it } from 'vitest';
import { formatPath } from '../../../src/config/problem.ts';

describe(formatPath, () => {
  it.each([
    [[], ''],
    [['tunnels', 'hub', 'probe'], 'tunnels.hub.probe'],
    [['drain', 'compare', 0, 'path'], 'drain.compare[0].path'],
    [['tunnels', 'a.b', 'listen'], 'tunnels["a.b"].listen'],
    [['with\nnewline'], '["with\\nnewline"]'],
  ])('writes %j as %s', (path, text) => {
    expect(formatPath(path)).toBe(text);
  });
});

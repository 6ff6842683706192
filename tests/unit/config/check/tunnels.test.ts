import { describe, expect, it } from 'vitest';
import { checkTunnels } from '../../../../src/config/check/tunnels.ts';
import { outlineOf } from '../../../../src/config/outline.ts';

const findings = (tunnel: object) =>
  checkTunnels(outlineOf({ tunnels: { t: tunnel } })).map(({ path }) => path.slice(2).join('.'));

describe(checkTunnels, () => {
  it.each([
    ['a local tunnel with a target', { target: 'a:1' }, []],
    ['a local tunnel without a target', {}, ['target']],
    ['a local tunnel with allow', { target: 'a:1', allow: ['a:1'] }, ['allow']],
    ['a remote tunnel without a target', { direction: 'remote' }, ['target']],
    ['a remote tunnel with while_down', { direction: 'remote', target: 'a:1', while_down: 'refuse' }, ['while_down']],
    ['a dynamic tunnel with allow', { direction: 'dynamic', allow: ['a:1'] }, []],
    ['a dynamic tunnel with a target', { direction: 'dynamic', allow: ['a:1'], target: 'a:1' }, ['target']],
    ['a dynamic tunnel without allow', { direction: 'dynamic' }, ['allow']],
    ['an unknown direction (reported by the schema)', { direction: 'socks', allow: ['a:1'] }, []],
    ['a direction of another type', { direction: 7 }, []],
  ])('checks %s', (_, tunnel, expected) => {
    expect(findings(tunnel)).toEqual(expected);
  });

  it.each([
    ['one kind of check', { tcp: {} }, []],
    ['no kind of check', {}, ['probe']],
    ['two kinds of check', { tcp: {}, http: {} }, ['probe']],
    ['a timeout as long as the pause', { tcp: {}, every: '2s', timeout: '2s' }, []],
    ['a timeout longer than the pause', { tcp: {}, every: '2s', timeout: '3s' }, ['probe.timeout']],
    ['a timeout longer than the default pause', { tcp: {}, timeout: '11s' }, ['probe.timeout']],
    ['a pause shorter than the default timeout', { tcp: {}, every: '1s' }, []],
  ])('checks a probe with %s', (_, probe, expected) => {
    expect(findings({ target: 'a:1', probe })).toEqual(expected);
    expect(findings({ target: 'a:1', drain: { successor: { probe } } })).toEqual(
      expected.map((path) => `drain.successor.${path}`),
    );
  });
});

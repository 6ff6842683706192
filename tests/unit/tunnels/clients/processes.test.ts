import { describe, expect, it } from 'vitest';
import { processName, sightOf } from '../../../../src/tunnels/clients/processes.ts';

describe(processName, () => {
  it.each([
    ['curl\n', 'curl'],
    ['a) S 1 (b\n', 'a) S 1 (b'],
    ['two\nlines\n', 'two lines'],
    ['\x1b[2J\x07\u202e\n', '\\u001b[2J\\u0007\\u202e'],
    ['\n', ''],
  ])('prints the name %j on one line', (comm, name) => {
    expect(processName(comm)).toBe(name);
  });
});

describe(sightOf, () => {
  it.each([
    ['everything', 'CapEff:\t000001ffffffffff\n', true],
    ['CAP_SYS_PTRACE alone', 'Name:\tnode\nCapEff:\t0000000000080000\n', false],
    ['CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH', 'Name:\tnode\nCapEff:\t0000000000080004\n', true],
    ['CAP_SYS_PTRACE and CAP_DAC_OVERRIDE', 'Name:\tnode\nCapEff:\t0000000000080002\n', true],
    ['everything else', 'CapEff:\t000001fffff7ffff\n', false],
    ['nothing', 'CapEff:\t0000000000000000\n', false],
    ['nobody knows what', '', false],
  ])('tells what a process may see with %s', (_, status, everybody) => {
    expect(sightOf(status, 998)).toEqual({ everybody, uid: 998 });
  });
});

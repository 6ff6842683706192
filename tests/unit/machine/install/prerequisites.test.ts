import { describe, expect, it } from 'vitest';
import { missingPrerequisites, type Prerequisites } from '../../../../src/machine/install/prerequisites.ts';
import { isActive, isEnabled, parseShow } from '../../../../src/machine/install/systemctl-show.ts';
import { listeningPorts } from '../../../../src/machine/install/taken-ports.ts';

const FINE: Prerequisites = {
  scope: 'system',
  isRoot: true,
  node: { path: '/usr/bin/node', version: 'v20.19.0' },
  systemd: 'systemd 252 (252.39-1~deb12u2)\n+PAM',
  answers: true,
  packaged: false,
  user: 'root',
};

describe(missingPrerequisites, () => {
  it.each<[Partial<Prerequisites>, RegExp | undefined]>([
    [{}, undefined],
    [{ node: { path: '/n', version: 'v22.1.0' } }, undefined],
    [{ scope: 'user', isRoot: false, packaged: true }, undefined],
    [{ isRoot: false }, /needs root/],
    [{ packaged: true }, /Debian package/],
    [{ node: undefined }, /finds no node/],
    [{ node: { path: '/n', version: 'v20.18.9' } }, /\/n is v20\.18\.9/],
    [{ node: { path: '/n', version: '' } }, /20\.19 or later/],
    [{ systemd: undefined }, /systemctl\) is missing/],
    [{ systemd: 'systemd 249 (249)' }, /249 is too old/],
    [{ answers: false }, /container/],
    [{ scope: 'user', answers: false, user: 'me' }, /enable-linger me/],
  ])('reports the missing prerequisite of %j: %s', (different, problem) => {
    const problems = missingPrerequisites({ ...FINE, ...different });
    expect(problems).toEqual(problem === undefined ? [] : [expect.stringMatching(problem)]);
  });
});

describe(parseShow, () => {
  it('reads one block for each unit', () => {
    const [first, second] = parseShow('Id=a.service\nActiveState=activating\nUnitFileState=enabled\n\nId=b=c.socket\n');
    expect(first && [first.get('Id'), isActive(first), isEnabled(first)]).toEqual(['a.service', true, true]);
    expect(second && [second.get('Id'), isActive(second), isEnabled(second)]).toEqual(['b=c.socket', false, false]);
  });
});

describe(listeningPorts, () => {
  it('finds listening ports of IPv4 and IPv6', () => {
    const lines = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:4650 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1',
      '   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 1 1',
      '  10: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000',
    ];
    expect(listeningPorts(lines.join('\n'))).toEqual([18_000, 22]);
  });
});

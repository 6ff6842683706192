import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { membershipOf } from '../../../../src/tunnels/clients/cgroup.ts';

const UID = '0a1b2c3d-1111-2222-3333-444455556666';
const ESCAPED = UID.replaceAll('-', '_');
const STATIC = '0123456789abcdef0123456789abcdef';
const none = { unit: null, pod: null };

describe(membershipOf, () => {
  it.each([
    ['a service', '0::/system.slice/backup.service\n', { unit: 'backup.service', pod: null }],
    [
      'an instance',
      '0::/system.slice/system-getty.slice/getty@tty1.service\n',
      { unit: 'getty@tty1.service', pod: null },
    ],
    ['what a service made below itself', '0::/system.slice/a.service/b.service\n', { unit: 'a.service', pod: null }],
    ['an escaped name', '0::/system.slice/_cgroup.service\n', { unit: 'cgroup.service', pod: null }],
    ['a login', '0::/user.slice/user-1000.slice/session-3.scope\n', { unit: 'session-3.scope', pod: null }],
    [
      'a user unit',
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/backup.service\n',
      { unit: 'user@1000.service/backup.service', pod: null },
    ],
    [
      'a manager of a user',
      '0::/user.slice/user-1000.slice/user@1000.service/init.scope\n',
      { unit: 'user@1000.service/init.scope', pod: null },
    ],
    [
      'version 1',
      '9:name=systemd:/system.slice/backup.service\n4:memory:/other.service\n0::/\n',
      { unit: 'backup.service', pod: null },
    ],
    ['another hierarchy of version 1', '4:memory:/other.service\n', none],
    ['from outside of the namespace', '0::/../../system.slice/cron.service\n', { unit: 'cron.service', pod: null }],
    ['a container of docker', '0::/system.slice/docker-0123.scope\n', { unit: 'docker-0123.scope', pod: null }],
    [
      'a pod by the systemd driver',
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${ESCAPED}.slice/cri-containerd-01.scope\n`,
      { unit: null, pod: UID },
    ],
    [
      'a guaranteed pod',
      `0::/kubepods.slice/kubepods-pod${ESCAPED}.slice/cri-containerd-01.scope`,
      { unit: null, pod: UID },
    ],
    ['a pod by the cgroupfs driver', `0::/kubepods/besteffort/pod${UID}/0123\n`, { unit: null, pod: UID }],
    [
      'a pod in version 1',
      `4:memory:/kubepods/burstable/pod${UID}/0123\n9:name=systemd:/x.service\n`,
      { unit: null, pod: UID },
    ],
    ['a static pod', `0::/kubepods/burstable/pod${STATIC}/0123\n`, { unit: null, pod: STATIC }],
    [
      'a pod of a cluster in a container',
      `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod${ESCAPED}.slice/x`,
      { unit: null, pod: UID },
    ],
    ['a pod of no cluster', `0::/kubepods/tripod${UID}/0123\n`, none],
    [
      'a service that is called like one',
      `0::/system.slice/pod${UID}.service\n`,
      { unit: `pod${UID}.service`, pod: null },
    ],
    ['no unit', '0::/\n', none],
    ['nothing', '', none],
    ['a name with a line break', '0::/system.slice/a\nb.service\n', none],
    ['a name with controls', '0::/system.slice/\x1b[2Ja.service\n', none],
  ])('reads %s', (_, text, expected) => {
    expect(membershipOf(text)).toEqual(expected);
  });

  it('returns no control characters, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        const { unit, pod } = membershipOf(`0::/${text}.service\n${text}`);
        expect(`${unit}${pod}`).toMatch(/^[\w:.\\@/-]*$/);
      }),
    );
  });
});

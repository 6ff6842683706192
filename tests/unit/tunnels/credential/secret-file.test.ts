import { expect, test } from 'vitest';
import { checkExposure, readSecretFile } from '../../../../src/tunnels/credential/secret-file.ts';

const US = 1000;
const check = (mode: number, uid: number, gid: number, credentials?: string) =>
  checkExposure('private key', '/run/credentials/u.service/key', { mode: 0o100_000 | mode, uid, gid }, US, credentials);

test.each([
  ['ours', 0o600, US],
  ['ours, read-only as systemd gives it', 0o400, US],
  ["root's", 0o400, 0],
])('accepts a secret file that is %s', (_, mode, uid) => {
  expect(check(mode, uid, 1000)).toBeUndefined();
});

test.each([0o640, 0o604, 0o620, 0o610, 0o601, 0o666])(
  'rejects mode %o, and names the command that fixes the mode',
  (mode) => {
    expect(check(mode, US, 1000)).toMatchObject({
      code: 'key_permissions',
      message: expect.stringContaining(`mode 0${mode.toString(8)}`),
      hint: expect.stringContaining('chmod 600 /run/credentials/u.service/key'),
    });
  },
);

test('rejects the file of another user', () => {
  expect(check(0o600, 1001, 1001)).toMatchObject({
    code: 'key_permissions',
    message: expect.stringContaining('uid 1001'),
    hint: expect.stringContaining('chown 1000 /run/credentials/u.service/key'),
  });
});

test('leaves the file in a home to its user, and names the copy', () => {
  const stats = { mode: 0o100_600, uid: 1001, gid: 1001 };
  const { hint } = checkExposure('private key', '/home/ops/.ssh/id', stats, 0, undefined) ?? {};
  expect(hint).toContain('`install -D -m 600 /home/ops/.ssh/id /etc/fleet-mesh/keys/ops-id`');
  expect(hint).not.toContain('chown');
});

test.each([
  ['root, in the credentials directory of the unit', 0, '/run/credentials/u.service', 0o400, true],
  ['root, elsewhere', 0, '/run/credentials/other.service', 0o400, false],
  ['root, and others may read the file', 0, '/run/credentials/u.service', 0o404, false],
  ['another user', US, '/run/credentials/u.service', 0o400, false],
])("decides about a credential of the unit's user, seen by %s", (_, uid, directory, mode, accepted) => {
  const stats = { mode: 0o100_000 | mode, uid: 995, gid: 995 };
  const fault = checkExposure('private key', '/run/credentials/u.service/key', stats, uid, directory);
  expect(fault === undefined).toBe(accepted);
});

test.each([
  ['directly in our credentials directory', 0o440, 0, 0, '/run/credentials/u.service', true],
  ['elsewhere', 0o440, 0, 0, '/run/credentials/other.service', false],
  ['without such a directory', 0o440, 0, 0, undefined, false],
  ['of another owner', 0o440, US, 0, '/run/credentials/u.service', false],
  ['of another group', 0o440, 0, 100, '/run/credentials/u.service', false],
  ['writable', 0o460, 0, 0, '/run/credentials/u.service', false],
  ['open to all', 0o444, 0, 0, '/run/credentials/u.service', false],
])('decides about a systemd credential file (0440 root:root) %s', (_, mode, uid, gid, directory, accepted) => {
  expect(check(mode, uid, gid, directory) === undefined).toBe(accepted);
});

test.each([
  ['from the directory of keys', 'key_ops', 'Copy the private key to /etc/fleet-mesh/keys/ops'],
  ['from a drop-in', 'ops', 'needs LoadCredential=ops:PATH'],
])('names the fix for a credential that the unit loads %s', async (_, name, hint) => {
  const directory = '/run/credentials/nowhere.service';
  await expect(readSecretFile('private key', `${directory}/${name}`, directory)).rejects.toMatchObject({
    code: 'key_unreadable',
    hint: expect.stringContaining(hint),
  });
});

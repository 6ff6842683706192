import { describe, expect, it } from 'vitest';
import { permissionHint } from '../../../../src/base/files/permission-hint.ts';

describe(permissionHint, () => {
  it('names the way out of a home, and only for files in homes', () => {
    expect(permissionHint('/srv/id', 'key')).toBe('Make /srv/id readable for the user of the daemon.');
    expect(permissionHint('/home/a/.ssh/id', 'key')).toContain(
      '`install -D -m 600 /home/a/.ssh/id /etc/fleet-mesh/keys/a-id`, and write `key: credential:key_a-id`.',
    );
    expect(permissionHint('/root/.ssh/known_hosts', 'known_hosts')).toContain(
      '`known_hosts: /etc/fleet-mesh/root-known_hosts`',
    );
  });

  it('names another destination for each user and each directory, in characters that a credential name may have', () => {
    const paths = ['/root/.ssh/id', '/home/a/.ssh/id', '/home/b/.ssh/id', '/home/b/work keys/id'];
    const names = paths.map((path) => /credential:key_([^`]*)/.exec(permissionHint(path, 'key'))?.[1]);
    expect(names).toEqual(['root-id', 'a-id', 'b-id', 'b-work-keys-id']);
  });
});

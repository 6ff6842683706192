import { describe, expect, it } from 'vitest';
import { permissionHint } from '../../../../src/base/files/permission-hint.ts';

describe(permissionHint, () => {
  it('names the way out of a home, and only for files in homes', () => {
    expect(permissionHint('/srv/id', 'key')).toBe('Make /srv/id readable for the user of the daemon.');
    expect(permissionHint('/home/a/.ssh/id', 'key')).toContain(
      '`install -D -m 600 -t /etc/fleet-mesh/keys/ /home/a/.ssh/id`, and write `key: credential:key_id`.',
    );
    expect(permissionHint('/root/.ssh/known_hosts', 'known_hosts')).toContain(
      '`known_hosts: /etc/fleet-mesh/known_hosts`',
    );
  });
});

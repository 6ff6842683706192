import { describe, expect, it } from 'vitest';
import { clientText, UNKNOWN } from '../../../../src/tunnels/clients/client.ts';

const unknown = { ...UNKNOWN, process: 'unknown' };

describe(clientText, () => {
  it.each([
    [{ process: 'curl', pid: 12, uid: 0, unit: 'backup.service' }, 'curl (pid 12, backup.service)'],
    [
      { process: 'curl', pid: 12, uid: 7, unit: 'user@7.service/backup.service' },
      'curl (pid 12, user unit backup.service of uid 7)',
    ],
    [{ process: 'node', pid: 3, uid: 0, pod: '0a1b' }, 'node (pid 3, pod 0a1b)'],
    [{ process: 'sh', pid: 4, uid: 1000 }, 'sh (pid 4, uid 1000)'],
    [{ uid: 998 }, 'unknown (uid 998)'],
    [{ address: '10.42.0.5' }, 'unknown (at 10.42.0.5)'],
    [{}, 'unknown'],
    [{ process: 'a\nb\x1b[2J) (pid 1', pid: 5 }, 'a b\\u001b[2J) (pid 1 (pid 5)'],
  ])('describes %j on one line', (client, text) => {
    expect(clientText({ ...unknown, ...client })).toBe(text);
  });
});

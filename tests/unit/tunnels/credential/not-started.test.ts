import { expect, test } from 'vitest';
import { notStarted } from '../../../../src/tunnels/credential/not-started.ts';

const absent = Object.assign(new Error('spawn'), { code: 'ENOENT' });

test.each([
  ['./absent.sh', /taken from \/\.$/],
  ['/absent.sh', /^Install it there\.$/],
  ['absent.sh', /the PATH of a service/],
])('says where a missing program, given as %s, was looked for', async (program, remedy) => {
  const { hint } = await notStarted(absent, program, '/', { PATH: '/nowhere' });
  expect(hint).toMatch(remedy);
});

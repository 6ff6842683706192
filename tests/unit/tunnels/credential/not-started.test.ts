import { expect, test } from 'vitest';
import { notStarted } from '../../../../src/tunnels/credential/not-started.ts';

const absent = Object.assign(new Error('spawn'), { code: 'ENOENT' });

test.each([
  ['./absent.sh', /is relative to \/\.$/],
  ['/absent.sh', /^Install the program there\.$/],
  ['absent.sh', /a service does not have the PATH of your shell/],
])('names where the missing program %s was searched', async (program, remedy) => {
  const { hint } = await notStarted(absent, program, '/', { PATH: '/nowhere' });
  expect(hint).toMatch(remedy);
});

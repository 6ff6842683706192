import { expect, test } from 'vitest';
import { homeOf } from '../../../src/base/home.ts';

const none = () => {
  throw new Error('no such user');
};

test.each([
  ['/home/a', () => '/home/b', '/home/a'],
  ['/home/a', none, '/home/a'],
  ['', () => '/home/b', '/home/b'],
  [undefined, none, '/'],
])('finds the home of a user with HOME=%s, also without an account', (HOME, ask, home) => {
  expect(homeOf({ HOME }, ask)).toBe(home);
});

import { expect, test } from 'vitest';
import { shellWord } from '../../../src/config/shell-word.ts';

test.each([
  ['/home/me/.ssh/id_ed25519', '/home/me/.ssh/id_ed25519'],
  ['/my keys/id', "'/my keys/id'"],
  ["it's", "'it'\\''s'"],
  ['$(reboot)', "'$(reboot)'"],
  ['', "''"],
])('%j becomes %s', (text, word) => {
  expect(shellWord(text)).toBe(word);
});

import { expect, test } from 'vitest';
import { fingerprint } from '../../../../src/tunnels/ssh/fingerprint.ts';

test('is SHA256 in base64 without padding', () => {
  expect(fingerprint(Buffer.from(''))).toBe('SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU');
});

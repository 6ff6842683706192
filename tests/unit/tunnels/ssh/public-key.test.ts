import { expect, test } from 'vitest';
import { fingerprint } from '../../../../src/tunnels/ssh/public-key.ts';

test('fingerprints a key blob as SHA256 in base64 without padding', () => {
  expect(fingerprint(Buffer.from(''))).toBe('SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU');
});

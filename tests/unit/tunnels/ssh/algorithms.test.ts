import ssh2 from 'ssh2';
import { expect, test } from 'vitest';
import { offer } from '../../../../src/tunnels/ssh/algorithms.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';

test('offers no weak algorithm and no compression', () => {
  const { kex, cipher, hmac, compress, serverHostKey } = offer(['ssh-ed25519']);
  expect(serverHostKey).toEqual(['ssh-ed25519']);
  expect(compress).toEqual(['none']);
  expect([kex, cipher, hmac].flat().join(' ')).not.toMatch(/sha1|cbc|md5|3des|arcfour|group1-/);
});

test('offers only algorithms that ssh2 supports', () => {
  // The Server constructor checks its lists as connect() does, without a network.
  const { private: key } = generatedKey();
  const { kex, cipher, hmac, compress } = offer(['ssh-ed25519']);
  const lists = {
    ...(kex && { kex }),
    ...(cipher && { cipher }),
    ...(hmac && { hmac }),
    ...(compress && { compress }),
  };
  expect(() => new ssh2.Server({ hostKeys: [key], algorithms: lists })).not.toThrow();
});

import { expect, it } from 'vitest';
import { fillPadding } from '../../../../../src/tunnels/ssh/packets/padding.ts';

it('fills only the padding, never twice with the same bytes', () => {
  const seen = new Set<string>();
  for (let packet = 0; packet < 5_000; packet++) {
    const bytes = Buffer.alloc(32);
    fillPadding(bytes, 8, 16);
    expect(bytes.subarray(0, 8).equals(Buffer.alloc(8))).toBe(true);
    expect(bytes.subarray(24).equals(Buffer.alloc(8))).toBe(true);
    seen.add(bytes.toString('hex', 8, 24));
  }
  expect(seen.size).toBe(5_000);
});

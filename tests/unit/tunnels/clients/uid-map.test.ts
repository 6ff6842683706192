import { describe, expect, it } from 'vitest';
import { isRealUid } from '../../../../src/tunnels/clients/uid-map.ts';

const WHOLE = '         0          0 4294967295\n';
/** Of PrivateUsers=yes. */
const PRIVATE = '         0          0          1\n       998        998          1\n';

describe(isRealUid, () => {
  it.each([
    ['a user of a namespace of all', 1_000, WHOLE, true],
    ['nobody, of a namespace of all', 65_534, WHOLE, true],
    ['root in a private one', 0, PRIVATE, true],
    ['whoever has no name in a private one', 65_534, PRIVATE, false],
    ['whoever it is, where the map cannot be read', 65_534, '', false],
  ])('%s', (_, uid, map, expected) => {
    expect(isRealUid(uid, map)).toBe(expected);
  });
});

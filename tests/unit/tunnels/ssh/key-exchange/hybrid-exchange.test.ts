import type { Client } from 'ssh2';
import { describe, expect, it } from 'vitest';
import { exchangeNames, withExchangeNames } from '../../../../../src/tunnels/ssh/key-exchange/exchange-names.ts';
import { offerHybrid, whyNoHybrid } from '../../../../../src/tunnels/ssh/key-exchange/hybrid-exchange.ts';
import { WireError, wireString } from '../../../../../src/tunnels/ssh/wire.ts';

const internal = expect.objectContaining({ code: 'internal', hint: expect.stringContaining('1.17.0') });

/** The parts of a new client of ssh2, with changes. */
function clientWith(change: Readonly<Record<string, unknown>> = {}, first = 'curve25519-sha256'): Client {
  const buffer = Buffer.from(first);
  const all = Buffer.concat([wireString(buffer), wireString('ssh-ed25519')]);
  const protocol = {
    _kex: undefined,
    _offer: { totalSize: all.length, lists: { kex: { array: [first], buffer }, all } },
    _packetRW: { read: { read: (payload: Buffer) => payload, cleanup: () => {} } },
    ...change,
  };
  return { _protocol: protocol } as unknown as Client;
}

describe(whyNoHybrid, () => {
  it('is undefined with the pinned ssh2, which is installed', () => {
    expect(whyNoHybrid()).toBeUndefined();
  });

  it('names another version of ssh2', () => {
    expect(whyNoHybrid('1.18.0')).toBe(
      'ssh2 1.18.0 is installed, not 1.17.0: key exchange is classical, without ML-KEM',
    );
  });
});

describe(offerHybrid, () => {
  it('sends the hybrid first, and then what ssh2 offers', () => {
    const client = clientWith();
    offerHybrid(client);
    const { _offer: offer } = (
      client as unknown as { _protocol: { _offer: { totalSize: number; lists: { all: Buffer } } } }
    )._protocol;
    const names = 'mlkem768x25519-sha256,curve25519-sha256';
    expect(offer.lists.all).toEqual(Buffer.concat([wireString(names), wireString('ssh-ed25519')]));
    expect(offer.totalSize).toBe(offer.lists.all.length);
  });

  it.each<[string, Client]>([
    ['no _protocol', {} as Client],
    ['no _offer', clientWith({ _offer: undefined })],
    ['no _packetRW', clientWith({ _packetRW: undefined })],
    ['no reader', clientWith({ _packetRW: {} })],
    ['an exchange already', clientWith({ _kex: {} })],
    ['another first exchange', clientWith({}, 'ecdh-sha2-nistp256')],
  ])('rejects a client with %s', (_, client) => {
    expect(() => offerHybrid(client)).toThrow(internal);
  });
});

describe('the names in SSH_MSG_KEXINIT', () => {
  const message = Buffer.concat([Buffer.alloc(17, 20), wireString('a,b'), wireString('ssh-ed25519'), Buffer.alloc(5)]);

  it('are read and replaced, and the rest stays', () => {
    expect(exchangeNames(message)).toEqual(['a', 'b']);
    expect(withExchangeNames(message, ['a', 'b'])).toEqual(message);
    const other = withExchangeNames(message, ['curve', 'b']);
    expect(exchangeNames(other)).toEqual(['curve', 'b']);
    expect(other.subarray(-20)).toEqual(message.subarray(-20));
  });

  it('are missing in a message that is cut short', () => {
    for (let length = 0; length < 24; length += 1)
      expect(() => exchangeNames(message.subarray(0, length))).toThrow(WireError);
  });
});

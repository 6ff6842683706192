import { describe, expect, it } from 'vitest';
import { ownAddresses } from '../../../../src/base/net/own-addresses.ts';

const IPS = ['127.0.0.1', '192.0.2.1', '::1', '2001:db8::1'];

describe(ownAddresses, () => {
  it('names the addresses of the interfaces', async () => {
    expect(await ownAddresses(IPS)).toContain('127.0.0.1');
    expect(await ownAddresses(['192.0.2.1'])).toEqual(new Set());
  });

  it('tries to bind each address if the sandbox of the unit hides the interfaces', async () => {
    const hidden = () => {
      throw new Error('uv_interface_addresses returned Unknown system error 97');
    };
    const own = await ownAddresses(IPS, hidden);
    expect(own).toContain('127.0.0.1');
    expect([...own].filter((ip) => ip === '192.0.2.1' || ip === '2001:db8::1')).toEqual([]);
  });
});

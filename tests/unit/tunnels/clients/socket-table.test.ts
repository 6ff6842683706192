import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { isRealUid, parseRow, portsIn, portsOf, rowKey } from '../../../../src/tunnels/clients/socket-table.ts';
import { has } from '../../../support/machine/capabilities.ts';

const TITLE =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     ';
const ROW =
  '   7: 0100007F:A1B2 0100007F:4650 01 00000000:00000000 00:00000000 00000000  1000        0 5957860 1 000000007738227b 20 4 30 10 -1                 ';
const ROW6 =
  '12345: 0000000000000000FFFF00000100007F:A1B2 0000000000000000FFFF00000100007F:4650 01 00000000:00000000 02:000A7B1C 00000000   998        0 42 1 0000000000000000 20 4 30 10 -1';

const loopback = { address: '127.0.0.1', port: 0xa1b2, localAddress: '127.0.0.1', localPort: 0x4650 };
const key = '0100007F:A1B2 0100007F:4650';
const mapped = '0000000000000000FFFF00000100007F:A1B2 0000000000000000FFFF00000100007F:4650';

describe(rowKey, () => {
  it.each([
    ['an IPv4 client', loopback, key, mapped],
    [
      'one of a listener on ::',
      { ...loopback, address: '::ffff:127.0.0.1', localAddress: '::ffff:127.0.0.1' },
      key,
      mapped,
    ],
    [
      'an IPv6 client',
      { ...loopback, address: '::1', localAddress: '2001:db8::1' },
      undefined,
      '00000000000000000000000001000000:A1B2 B80D0120000000000000000001000000:4650',
    ],
    [
      'one of a link-local address',
      { ...loopback, address: 'fe80::1%eth0', localAddress: 'fe80::2%eth0' },
      undefined,
      '000080FE000000000000000001000000:A1B2 000080FE000000000000000002000000:4650',
    ],
    ['no address', { ...loopback, address: 'somewhere' }, undefined, undefined],
  ])('finds the row of %s', (_, peer, tcp, tcp6) => {
    expect([rowKey(peer, 'tcp', true), rowKey(peer, 'tcp6', true)]).toEqual([tcp, tcp6]);
  });

  it('follows the byte order of the machine', () => {
    expect(rowKey(loopback, 'tcp', false)).toBe('7F000001:A1B2 7F000001:4650');
  });
});

describe(parseRow, () => {
  it.each([
    ['a row', ROW, { key, uid: 1000, inode: '5957860' }],
    ['a row of tcp6 with a long number', ROW6, { key: mapped, uid: 998, inode: '42' }],
    ['the title', TITLE, undefined],
    ['a socket that nobody holds any more', ROW.replace('5957860', '0'), undefined],
    ['half a row', ROW.slice(0, 60), undefined],
    ['nothing', '', undefined],
  ])('reads %s', (_, line, expected) => {
    expect(parseRow(line)).toEqual(expected);
  });

  it('reads the ports of a line as one number', () => {
    expect([ROW, ROW6].map(portsIn)).toEqual([portsOf(loopback), portsOf(loopback)]);
    expect([TITLE, '', 'x', ':::'].map(portsIn)).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  });
});

describe.skipIf(!has('procfs'))('the real table', () => {
  it.each([
    ['IPv4', '127.0.0.1', '127.0.0.1', 'tcp'],
    ['IPv6', '::1', '::1', 'tcp6'],
    ['IPv4 to a listener on both', '::', '127.0.0.1', 'tcp'],
    ['IPv4 by an IPv6 socket', '127.0.0.1', '::ffff:127.0.0.1', 'tcp6'],
  ] as const)('has the client of a connection: %s', async (_, listen, host, family) => {
    await using server = createServer();
    await new Promise<void>((resolve) => server.listen(0, listen, resolve));
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const client = connect({ host, port: (server.address() as { port: number }).port });
    const socket = await accepted;
    const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket;
    const peer = { address: remoteAddress, port: remotePort, localAddress, localPort };
    const rows = readFileSync(`/proc/self/net/${family}`, 'latin1').split('\n').map(parseRow);
    expect(rows.find((row) => row !== undefined && row.key === rowKey(peer, family))?.uid).toBe(process.getuid?.());
    client.destroy();
    socket.destroy();
  });
});

const WHOLE_MAP = '         0          0 4294967295\n';
/** Of PrivateUsers=yes. */
const PRIVATE_MAP = '         0          0          1\n       998        998          1\n';

describe(isRealUid, () => {
  it.each([
    ['takes a user in a namespace of all users', 1_000, WHOLE_MAP, true],
    ['takes nobody (65534) in a namespace of all users', 65_534, WHOLE_MAP, true],
    ['takes root in a private namespace', 0, PRIVATE_MAP, true],
    ['rejects 65534 in a private namespace, which does not have that user', 65_534, PRIVATE_MAP, false],
    ['rejects 65534 when the map cannot be read', 65_534, '', false],
  ])('%s', (_, uid, map, expected) => {
    expect(isRealUid(uid, map)).toBe(expected);
  });
});

import { expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { Address } from '../../../../src/base/net/address.ts';
import type { ChannelSource } from '../../../../src/tunnels/channel/channel-source.ts';
import { DatedErrors } from '../../../../src/tunnels/tunnel/dated-errors.ts';

const never = new AbortController().signal;
const target: Address = { kind: 'tcp', host: '10.0.0.1', port: 80 };

test('tells the errors of requests before a change from later ones', async () => {
  const refusals: ((error: Error) => void)[] = [];
  const source: ChannelSource = {
    ready: true,
    whenReady: async () => {},
    open: () => new Promise((_, reject) => refusals.push(reject)),
  };
  const dated = new DatedErrors();
  const open = () =>
    dated
      .watch(source)
      .open(target, { address: '127.0.0.1', port: 1 }, never)
      .then(
        () => {
          throw new Error('opened');
        },
        (error: Error) => dated.isOutdated(error),
      );
  const before = open();
  dated.begin();
  const after = open();
  for (const refuse of refusals) refuse(new TunnelError('target_refused', 'refused'));
  expect([await before, await after]).toEqual([true, false]);
});

import { describe, expect, it } from 'vitest';
import type { Address } from '../../../../src/base/net/address.ts';
import { NOWHERE, proveFurther } from '../../../../src/tunnels/link/prove.ts';
import { FakeSession } from '../../../support/fakes/fake-link.ts';

const never = new AbortController().signal;
const at = (host: string): Address => ({ kind: 'tcp', host, port: 80 });

/** A session that gets channels to the given hosts only. */
function allowed(...hosts: readonly string[]): FakeSession {
  const session = new FakeSession();
  const open = session.open.bind(session);
  session.open = (target, ...rest) => {
    session.refusal = target.kind === 'tcp' && hosts.includes(target.host) ? undefined : 'forward_denied';
    return open(target, ...rest);
  };
  return session;
}

describe(proveFurther, () => {
  const [first, second] = [at('192.0.2.1'), at('192.0.2.2')];

  it('accepts a session that gets one of the channels', async () => {
    const serving = allowed('192.0.2.1', '192.0.2.2');
    await expect(proveFurther(serving, allowed('192.0.2.2'), [first, second], never)).resolves.toBeUndefined();
    await expect(proveFurther(serving, allowed(), [first, second], never)).rejects.toMatchObject({
      code: 'forward_denied',
      message: 'a new SSH session can log in, but forward_denied',
    });
  });

  it('asks for no name and for no other address than those of targets', async () => {
    const useless = allowed();
    await proveFurther(new FakeSession(), useless, [at('db.example'), NOWHERE], never);
    expect(useless.opens).toBe(0);
  });
});

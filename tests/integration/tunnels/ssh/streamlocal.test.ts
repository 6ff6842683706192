import { expect, it } from 'vitest';
import { connectSession, never, originator } from '../../../support/clients/ssh-session.ts';
import { startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';

it('asks a server that is not OpenSSH for a Unix socket, and reports its refusal', async () => {
  await using sshd = await startEmbeddedSshd();
  const session = await connectSession(sshd);
  expect(session.facts.server).not.toContain('OpenSSH');
  await expect(session.open({ kind: 'unix', path: '/run/x.sock' }, originator, never)).rejects.toMatchObject({
    code: 'forward_denied',
    message: expect.stringContaining('unix:/run/x.sock'),
  });
  expect(session).toMatchObject({ usable: true, channels: 0 });
  await session.end();
});

import { describe, expect, test } from 'vitest';
import { TunnelError } from '../../../src/base/errors.ts';
import { rotateActor } from '../../../src/daemon/rotate.ts';
import type { Rotators } from '../../../src/tunnels/credential/rotators.ts';
import { rotationOf } from '../../../src/tunnels/tunnel/link-outcome.ts';
import type { Supervisor } from '../../../src/tunnels/tunnel/supervisor.ts';
import { actorConfig, credentialFacts, FakeNetwork } from '../../support/fakes/fake-link.ts';
import { linkFixture } from '../../support/fakes/status-fixture.ts';
import { waitUntil } from '../../support/wait-until.ts';

describe(rotateActor, () => {
  test('fails if a link uses the fallback key instead of the new credential', async () => {
    const net = new FakeNetwork();
    const standIn = new TunnelError('auth_rejected', 'static key under exception x: rejected', { hint: 'Compare.' });
    net.credential = credentialFacts('static', { standIn });
    net.outcome = 'ok';
    net.link.start();
    await waitUntil('it is up', () => net.link.ready);
    const rotators = { rotate: async () => {}, status: () => linkFixture().credential } as unknown as Rotators;
    const supervisor = { rotations: async () => [await rotationOf(net.link)] } as unknown as Supervisor;
    await expect(rotateActor(actorConfig, rotators, supervisor)).rejects.toMatchObject({
      code: 'auth_rejected',
      message: 'the new credential is not yet in use at coulombcore: static key under exception x: rejected',
      hint: expect.stringMatching(/^Compare\. /),
    });
    await net.link.stop();
  });
});

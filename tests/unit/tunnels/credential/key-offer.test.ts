import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { offerKey } from '../../../../src/tunnels/credential/key-offer.ts';
import { buildCertificate, goodFields, signingKey } from '../../../support/certificates/built-certificate.ts';
import { agentWith } from '../../../support/fakes/fake-agent.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

let temp: TempDir;
let socket: string;
beforeEach(() => {
  temp = tempDir('offer');
  socket = join(temp.path, 'agent');
});
afterEach(() => temp[Symbol.dispose]());

const offer = (demands = {}) =>
  offerKey({ key: { kind: 'agent' }, ...demands }, 1, undefined, { SSH_AUTH_SOCK: socket });

test('counts a new certificate in the agent as a new credential, but not a new order', async () => {
  const forever = { validBefore: goodFields.validBefore * 2n };
  const [one, two] = [buildCertificate(forever), buildCertificate({ ...forever, serial: 2n })];
  const held = [one];
  const server = agentWith(held).listen(socket);
  await once(server, 'listening');
  const first = (await offer()).facts.id;
  held.push(two);
  const second = (await offer()).facts.id;
  held.reverse();
  expect((await offer()).facts.id).toBe(second);
  expect(second).not.toBe(first);
  server.close();
});

test('applies the requirements of the actor to an agent, and names certificates in the rejection hint', async () => {
  const server = agentWith([signingKey().blob]).listen(socket);
  await once(server, 'listening');
  expect((await offer()).ifRejected).toContain('TrustedUserCAKeys');
  await expect(offer({ principals: ['atm-fleet-mesh'] })).rejects.toMatchObject({ code: 'key_unreadable' });
  server.close();
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BaseAgent, Client, ParsedKey } from 'ssh2';
import { describe, expect, it } from 'vitest';
import type { UserAuth } from '../../../../src/tunnels/ssh/user-auth.ts';
import { makeCertificateAuthority } from '../../../support/certificates/certificate-authority.ts';
import { certified, login } from '../../../support/certificates/certified-login.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { waitUntil } from '../../../support/wait-until.ts';

type Agent = BaseAgent<ParsedKey>;
type Done = (error?: Error | null, signature?: Buffer) => void;
type SignOf = (sign: (key: ParsedKey, data: Buffer, options: object, done: Done) => void) => typeof sign;

interface Insides {
  _protocol: { _packetRW: { write: object } };
}

/** Hides a property only while our code reads it, because ssh2 needs the property. */
function whileLooking(of: (insides: Insides) => object, name: string, value?: unknown) {
  return (client: Client, agent: Agent): void => {
    const getIdentities = agent.getIdentities.bind(agent);
    agent.getIdentities = (answer) => {
      const target = of(client as unknown as Insides);
      const was = Object.getOwnPropertyDescriptor(target, name);
      Object.defineProperty(target, name, { configurable: true, value });
      getIdentities((error, keys) => {
        if (was) Object.defineProperty(target, name, was);
        else Reflect.deleteProperty(target, name);
        answer(error, keys);
      });
    };
  };
}

function whenSigning(change: SignOf) {
  return (_: Client, agent: Agent): void => void Object.assign(agent, { sign: change(agent.sign.bind(agent)) });
}

const writer = ({ _protocol }: Insides) => _protocol._packetRW.write;
const changes: Record<string, (client: Client, agent: Agent) => void> = {
  'no _protocol': whileLooking((client) => client, '_protocol'),
  'no packet reader and writer': whileLooking(({ _protocol }) => _protocol, '_packetRW'),
  'no packet writer': whileLooking(({ _protocol }) => _protocol._packetRW, 'write'),
  'no alloc': whileLooking(writer, 'alloc'),
  'no finalize': whileLooking(writer, 'finalize'),
  'no allocStart': whileLooking(writer, 'allocStart'),
  'a finalize that is overridden already': whileLooking(writer, 'finalize', () => {}),
  'a request that is built otherwise': whenSigning((sign) => (key, data, options, done) => {
    const other = Buffer.from(data);
    other.writeUInt8((other.at(-1) ?? 0) ^ 1, other.length - 1);
    sign(key, other, options, done);
  }),
  'a request that is not built': whenSigning((sign) => (key, data, options, done) => {
    sign(key, data, options, (error) => (error ? done(error) : undefined));
  }),
};

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('a changed ssh2', { concurrent: true }, () => {
  it.each(Object.entries(changes))('reports an unsupported ssh2 and sends no signature: %s', async (_, change) => {
    using temp = tempDir('insides');
    const ca = makeCertificateAuthority(temp.path, 'ca');
    const principals = join(temp.path, 'principals');
    writeFileSync(principals, 'atm-fleet-mesh\n');
    const trust = [`TrustedUserCAKeys ${ca.key.publicPath}`, `AuthorizedPrincipalsFile ${principals}`];
    await using sshd = await startSshd({ extraConfig: [...trust, 'LogLevel DEBUG3'] });
    const good = certified(sshd.user, sshd.clientKey, ca.sign(sshd.clientKey));
    const changed: UserAuth = (client) => {
      const [method] = good(client);
      if (method.type === 'agent') change(client, method.agent as Agent);
      return [method];
    };
    await expect(login(sshd, changed)).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringMatching(/^certificate login: .*nothing was sent$/),
    });
    const ended = /Connection (closed|reset)|Disconnect/;
    await waitUntil('sshd has seen the end', () => ended.test(sshd.log()), 5_000, sshd.log);
    // The log line of sshd for a request with a signature; a request without one is "querying".
    const signed = /attempting public key|Failed publickey|Accepted publickey/;
    expect(sshd.log()).not.toMatch(signed);
    await (await login(sshd, good)).end();
    await waitUntil('sshd has logged the signature', () => signed.test(sshd.log()), 5_000, sshd.log);
  });
});

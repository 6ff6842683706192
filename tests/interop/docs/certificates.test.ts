import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateKey } from '../../support/certificates/keys.ts';
import { runCli, startDaemon } from '../../support/daemon/daemon.ts';
import { has } from '../../support/machine/capabilities.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

const PAGE = readFileSync(new URL('../../../docs/certificates.md', import.meta.url), 'utf8');

/** The code block of the page behind the comment `<!-- name -->`. */
function block(name: string): string {
  const [, text] = new RegExp(`<!-- ${name} -->\n\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(PAGE) ?? [];
  if (text === undefined) throw new Error(`docs/certificates.md has no block ${name}`);
  return text;
}

/** Replaces the names of the page by those of this machine. Each name must be there. */
function adapt(text: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((changed, [from, to]) => {
    expect(changed).toContain(from);
    return changed.replaceAll(from, to);
  }, text);
}

/** The example of the page, set up: an sshd, a CA and the YAML of the node. */
async function startExample() {
  const sshd = await startSshd();
  const target = await startEcho();
  const { directory, user } = sshd;
  const ca = generateKey(join(directory, 'user_ca'));
  const key = generateKey(join(directory, 'atm-db'));
  const principals = join(directory, 'principals');
  mkdirSync(principals);
  const page = adapt(block('sshd_config'), [
    ['/etc/ssh/user_ca.pub', ca.publicPath],
    ['/etc/ssh/principals', principals],
    ['User fleet', `User ${user}`],
    ['127.0.0.1:5432', `127.0.0.1:${target.port}`],
  ]);
  writeFileSync(join(directory, 'page.conf'), page);
  // Included, so that its Match block ends with it.
  await sshd.restart({ extraConfig: [`Include ${join(directory, 'page.conf')}`] });

  const [endpointPort, port] = [await freePort(), await freePort()];
  const yaml = adapt(block('tunnels.yaml'), [
    ['address: bastion.example.net, user: fleet', `address: 127.0.0.1, port: ${sshd.port}, user: ${user}`],
    ['~/.ssh/known_hosts', sshd.knownHostsFile],
    ['key: ~/.ssh/atm-db', `key: ${key.path}`],
    ['~/.ssh/user_ca', ca.path],
    ['SHA256:…', ca.fingerprint],
    ['127.0.0.1:15432', `127.0.0.1:${port}`],
    ['target: 127.0.0.1:5432', `target: 127.0.0.1:${target.port}`],
  ]);
  const configFile = join(directory, 'tunnels.yaml');
  const own = `endpoint: { listen: "127.0.0.1:${endpointPort}" }
control: { socket: ${join(directory, 'control', 'control.sock')} }
state_dir: ${join(directory, 'state')}
`;
  writeFileSync(configFile, yaml + own);
  return {
    sshd,
    configFile,
    endpointPort,
    allow: (line: string) => writeFileSync(join(principals, user), `${line}\n`),
    doctor: () => runCli(['doctor', '--try-cert-command', '--config', configFile]),
    /** The line of the page that has options before the principal. */
    permitOnly: (to: string) => adapt(/^restrict,.* atm-db$/m.exec(PAGE)?.[0] ?? '', [['127.0.0.1:5432', to]]),
    target,
    [Symbol.asyncDispose]: async () => {
      await target.stop();
      await sshd[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('the example of docs/certificates.md', () => {
  it('passes the doctor with the example of docs/certificates.md, and serves over certificate sessions', async () => {
    await using example = await startExample();
    example.allow('atm-db');
    const { code, stdout } = await example.doctor();
    expect(stdout).toContain('passes the probe');
    expect(code).toBe(0);
    await using daemon = startDaemon(example);
    const { links } = await daemon.waitFor(({ state, links: [link] }) => state === 'up' && link?.sessions.length === 2);
    expect(links[0]?.sessions.map(({ credential_type }) => credential_type)).toEqual(['certificate', 'certificate']);
    const rotated = await runCli(['rotate', 'atm-db', '--config', example.configFile]);
    expect(rotated).toMatchObject({ code: 0 });
  });

  it('rejects the certificate if the principals file has another name', async () => {
    await using example = await startExample();
    example.allow('somebody-else');
    expect(await example.doctor()).toMatchObject({ code: 1, stdout: expect.stringContaining('[auth_rejected]') });
    const why = 'Certificate does not contain an authorized principal';
    await waitUntil('sshd says why', () => example.sshd.log().includes(why), 5_000, example.sshd.log);
  });

  it('forbids other targets with restrictions in the principals file', async () => {
    await using example = await startExample();
    example.allow(example.permitOnly(`127.0.0.1:${example.target.port}`));
    expect(await example.doctor()).toMatchObject({ code: 0 });
    example.allow(example.permitOnly('127.0.0.1:1'));
    expect(await example.doctor()).toMatchObject({ code: 1, stdout: expect.stringContaining('[forward_denied]') });
  });
});

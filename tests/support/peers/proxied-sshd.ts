import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EmbeddedSshd, startEmbeddedSshd } from './embedded-sshd.ts';
import { FaultProxy } from './fault-proxy.ts';

/** An embedded sshd with a fault proxy in front. */
export interface ProxiedSshd extends AsyncDisposable {
  readonly sshd: EmbeddedSshd;
  readonly proxy: FaultProxy;
  /** Type and base64 of the host key, as in known_hosts. */
  hostKey(): string;
  /** Port and known_hosts of a host that is reached through the proxy. */
  throughProxy(): { readonly port: number; readonly knownHosts: string };
}

export async function startProxiedSshd(): Promise<ProxiedSshd> {
  const sshd = await startEmbeddedSshd();
  const proxy = await FaultProxy.start(sshd.port);
  const hostKey = () => readFileSync(sshd.knownHostsFile, 'utf8').trim().split(' ').slice(1).join(' ');
  return {
    sshd,
    proxy,
    hostKey,
    throughProxy() {
      const knownHosts = join(sshd.directory, 'known_hosts_proxy');
      writeFileSync(knownHosts, `[127.0.0.1]:${proxy.port} ${hostKey()}\n`);
      return { port: proxy.port, knownHosts };
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await sshd[Symbol.asyncDispose]();
    },
  };
}

import { describe, expect, it } from 'vitest';
import { has } from '../support/capabilities.ts';
import { curl } from '../support/curl.ts';
import { freePort } from '../support/loopback.ts';
import { hasSessions, startMesh, tunnelOf } from '../support/mesh.ts';
import { startSshd } from '../support/real-sshd.ts';
import { startStateHub } from '../support/stand-ins.ts';

describe.skipIf(!has('sshd') || !has('curl'))('a dynamic tunnel and curl', () => {
  it('serves what allow covers, by address and by name, and says clearly what not', async () => {
    await using sshd = await startSshd();
    await using hub = await startStateHub();
    const nobody = await freePort();
    const allow = [`127.0.0.0/8:${hub.port}`, `localhost:${hub.port}`, `127.0.0.1:${nobody}`, '*.invalid:80'];
    await using mesh = await startMesh({ sshd, tunnels: { socks: { direction: 'dynamic', allow } } });
    await mesh.waitFor(hasSessions(2));
    const proxy = `127.0.0.1:${mesh.port('socks')}`;
    const path = `${hub.port}/state/health`;

    const answers = await Promise.all([
      curl('--socks5', proxy, `http://127.0.0.1:${path}`),
      curl('--socks5', proxy, `http://127.0.0.2:${path}`),
      curl('--socks5-hostname', proxy, `http://localhost:${path}`),
      curl('--socks5-hostname', proxy, `http://LocalHost.:${path}`),
      curl('--socks5-hostname', proxy, `http://127.0.0.1:${path}`),
      curl('--proxy', `socks5h://${proxy}`, `http://127.0.0.1:${path}`),
    ]);
    console.log(answers);
    const refusals = await Promise.all([
      curl('--socks5-hostname', proxy, `http://127.0.0.1:${nobody}/`),
      curl('--socks5-hostname', proxy, `http://10.0.0.1:${path}`),
      curl('--socks5-hostname', proxy, `http://ip6-localhost:${path}`),
      curl('--socks5-hostname', proxy, 'http://nowhere.invalid/'),
      curl('--socks4', proxy, `http://127.0.0.1:${path}`),
      curl('--socks4a', proxy, `http://localhost:${path}`),
      curl('--proxy', `http://${proxy}`, `http://127.0.0.1:${path}`),
      curl('--proxytunnel', '--proxy', `http://${proxy}`, `http://127.0.0.1:${path}`),
      curl(`http://${proxy}/`),
      curl('--socks5', `user:secret@${proxy}`, `http://127.0.0.1:${path}`),
    ]);
    console.log(refusals);
    console.log(JSON.stringify(await mesh.daemon.status(), null, 1), mesh.daemon.records().filter((r) => r['level'] !== 'info'));
    void tunnelOf;
  });
});

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startRequestLoop } from '../../../support/clients/request-loop.ts';
import { type CertifiedLab, startCertifiedLab } from '../../../support/daemon/certified-mesh.ts';
import { linkOf, type Mesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { settableClock } from '../../../support/machine/settable-clock.ts';
import { patient } from '../../../support/patience.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** A daemon, and its cert_command, with a wall clock that the test sets. The server keeps the right time. */
async function startWithClock({ sshd, mesh }: CertifiedLab, target: number, offset: string) {
  const clock = settableClock(join(sshd.directory, 'offset'), offset);
  return { mesh: await mesh({ tunnels: { echo: { target } }, wrapper: clock.wrapper }), clock };
}

/** The hours by which the daemon's clock differs from the right time. */
async function hoursOff({ daemon }: Mesh): Promise<number> {
  return Math.round(((await daemon.status()).now.getTime() - Date.now()) / 3_600_000);
}

const needs = has('sshd') && has('faketime');

describe.skipIf(!needs)('a certificate that a command on this node makes by a wrong clock', () => {
  it.each([
    ['ahead', '+2h', 2],
    ['behind', '-2h', -2],
  ])('is renewed within seconds after the clock, two hours %s, is set right', async (_, offset, hours) => {
    await using lab = await startCertifiedLab();
    await using echo = await startEcho();
    const { mesh, clock } = await startWithClock(lab, echo.port, offset);
    await using _mesh = mesh;
    // Rejected twice: the early renewal of a rejected certificate is used up, with a certificate just as wrong.
    await mesh.waitFor(
      (status) => linkOf(status).last_error?.code === 'auth_rejected' && lab.signing.runs() >= 2,
      patient(20_000),
    );
    expect(await hoursOff(mesh)).toBe(hours);
    await pause(2_000);
    clock.set('+0');
    const from = performance.now();
    await mesh.waitForTunnel('up', 'echo', patient(15_000));
    process.stderr.write(`clock ${offset}: up ${(performance.now() - from).toFixed(0)} ms after it is right\n`);
  });
});

describe.skipIf(!needs)('a clock that is set while sessions are up', () => {
  it('renews a certificate that is not valid yet, tells so, and loses no request', async () => {
    await using lab = await startCertifiedLab();
    await using echo = await startEcho();
    const { mesh, clock } = await startWithClock(lab, echo.port, '+0');
    await using _mesh = mesh;
    await mesh.waitForTunnel('up', 'echo', patient(20_000));
    const first = linkOf(await mesh.daemon.status()).credential;
    const loop = startRequestLoop(mesh.port('echo'), 20);
    clock.set('-2h');
    const renewed = await mesh.waitFor((status) => linkOf(status).credential.serial !== first.serial, patient(15_000));
    expect((await loop.stop()).failures).toEqual([]);
    await waitUntil('the log tells about the certificate', () =>
      mesh.daemon.records().some(({ event }) => event === 'certificate.not_yet_valid'),
    );
    const { renew_at, valid_before } = linkOf(renewed).credential;
    const aheadMs = (renew_at?.getTime() ?? 0) - renewed.now.getTime();
    expect(aheadMs).toBeGreaterThan(0);
    expect(aheadMs).toBeLessThan(3_600_000);
    expect(valid_before?.getTime()).toBeLessThan(Date.now());
  });
});

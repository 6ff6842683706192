import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planView } from '../../../src/retirement/plan/view.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { runCli } from '../../support/daemon/daemon.ts';
import { startMesh } from '../../support/daemon/mesh.ts';
import { planYaml, REAL_PLAN, recordedAt, wave } from '../../support/fakes/plan-fixture.ts';
import { has } from '../../support/machine/capabilities.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';

const NAME = 'fleet-state-hub-coulombcore';
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe.skipIf(!has('sshd'))('the drain plan', () => {
  it('takes changes by command and by hand while the daemon runs, and ignores an invalid plan', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const plan = join(sshd.directory, 'drain-plan.yaml');
    writeFileSync(plan, REAL_PLAN);
    const tunnels = { [NAME]: { target: echo.port, production: true, drain: { step: '2.4' } } };
    await using mesh = await startMesh({ sshd, tunnels, extra: { plan: 'drain-plan.yaml' } });
    const first = await mesh.waitFor((status) => status.state === 'up');
    expect(first.plan).toMatchObject({ path: plan, last_load: { ok: true, error: null } });
    expect(first.plan?.waves.map(({ complete }) => complete)).toEqual([true, ...Array(8).fill(false)]);
    expect(first.advisories.map(({ code }) => code)).toEqual(['frozen_host', 'static_key']);
    expect(await mesh.metric('advisories', { code: 'frozen_host' })).toBe(1);
    expect(await mesh.metric('drain_wave_complete')).toBe(1);

    const view = async () => planView.parse(JSON.parse((await mesh.daemon.get('/plan')).body));
    const hanging = (await view()).waves.flatMap(({ steps }) => steps).filter((step) => step.tunnels.length > 0);
    expect(hanging).toMatchObject([{ id: '2.4', tunnels: [NAME], state: 'blocked' }]);

    const cli = (...args: string[]) => runCli(['plan', ...args, '--config', mesh.configFile]);
    const approval = ['approve', 'forgejo-production-decisions', '--by', 'worsch', '--evidence', 'decision 1'];
    expect(await cli(...approval)).toMatchObject({ code: 0 });
    expect(await cli(...approval)).toMatchObject({ code: 1, stderr: expect.stringContaining('already approved') });
    expect(await cli('done', '1.1', '--evidence', 'the document')).toMatchObject({ code: 0, stderr: '' });
    const { events } = JSON.parse((await mesh.daemon.get('/events')).body);
    const edits = events.filter(({ event }: { event: string }) => event.startsWith('plan.'));
    expect(edits).toMatchObject([
      { event: 'plan.loaded', plan, sha256: sha256(REAL_PLAN), sha256_before: null },
      { event: 'plan.changed', sha256_before: sha256(REAL_PLAN) },
      {
        event: 'plan.approved',
        gate: 'forgejo-production-decisions',
        by: 'worsch',
        evidence: 'decision 1',
        user: expect.any(String),
        sha256_before: sha256(REAL_PLAN),
        sha256: edits[1].sha256,
      },
      { event: 'plan.changed', sha256: sha256(readFileSync(plan)) },
      { event: 'plan.done', step: '1.1', evidence: 'the document', sha256: sha256(readFileSync(plan)) },
    ]);
    const listed = await runCli(['events', '--config', mesh.configFile]);
    expect(listed.stdout).toMatch(
      /plan: gate forgejo-production-decisions approved by worsch \(account .+\): decision 1/,
    );
    writeFileSync(plan, recordedAt(new Date(), readFileSync(plan), '1.2', '1.3', '1.4', '1.5'));
    await mesh.waitFor((status) => status.plan?.waves[1]?.complete === true);
    expect(await mesh.metric('drain_wave_complete', { wave: '1' })).toBe(1);
    expect((await view()).gates[0]?.approved).toMatchObject({ by: 'worsch', evidence: 'decision 1' });
    expect(
      readFileSync(plan, 'utf8')
        .split('\n')
        .filter((line) => !REAL_PLAN.toString().split('\n').includes(line)),
    ).toHaveLength(6);

    const good = readFileSync(plan, 'utf8');
    const { plan: before } = await mesh.daemon.status();
    writeFileSync(`${plan}.new`, good.replace('blocks: ["2.2"]', 'blocks: ["2.22"]'));
    renameSync(`${plan}.new`, plan);
    const broken = await mesh.waitFor((status) => status.plan?.last_load.ok === false);
    expect(broken.plan).toMatchObject({
      sha256: before?.sha256,
      loaded_at: before?.loaded_at,
      waves: before?.waves,
      last_load: {
        error: expect.stringMatching(/drain-plan\.yaml:30:14: gates\[1\]\.blocks\[0\]: unknown step "2\.22"/),
      },
    });
    expect(broken.advisories.map(({ code }) => code)).toContain('plan_unusable');
    expect(await mesh.metric('plan_load_success')).toBe(0);
    expect((await view()).sha256).toBe(before?.sha256);
    expect(mesh.daemon.records().filter(({ event }) => event === 'plan.refused')).toHaveLength(1);

    writeFileSync(plan, good);
    await mesh.waitFor((status) => status.plan?.last_load.ok === true && status.advisories.length === 2);
    await echoOnce(mesh.port(NAME));
  });

  it('never stops the daemon from starting, and reports an expired exception', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const exceptions = [
      { id: 'x', covers: { actor: 'atm-fleet-mesh' }, reason: 'r', until: '2026-01-01', rollback: 'b', approval: 'a' },
    ];
    writeFileSync(join(sshd.directory, 'plan.yaml'), planYaml({ waves: [wave(1, [], 1)], exceptions }));
    const tunnels = { echo: { target: echo.port, production: true } };
    await using mesh = await startMesh({ sshd, tunnels, extra: { plan: 'plan.yaml' } });
    await mesh.waitForTunnel('up');
    expect((await mesh.daemon.status()).advisories.map(({ code }) => code)).toEqual([
      'static_key',
      'exception_expired',
    ]);
    const told = await mesh.waitFor(() => mesh.daemon.log().includes('advisory.raised'));
    expect(told.state).toBe('up');
    expect(await runCli(['check', '--config', mesh.configFile])).toMatchObject({ code: 78 });

    // A missing plan file does not stop the daemon either; a reload may also remove the plan.
    await mesh.write({ extra: { plan: 'gone.yaml' } });
    const without = await mesh.reload();
    expect(without.config.last_reload).toMatchObject({ ok: true });
    expect(without.plan).toMatchObject({ sha256: null, waves: [], last_load: { ok: false } });
    expect(await mesh.daemon.get('/plan')).toMatchObject({ status: 503 });
    writeFileSync(join(sshd.directory, 'gone.yaml'), planYaml({ waves: [wave(1, [], 1, 1)] }));
    await mesh.waitFor((status) => status.plan?.waves[0]?.complete === true);
    await mesh.write({ extra: {} });
    expect((await mesh.reload()).plan).toBeNull();
    expect(await mesh.daemon.get('/plan')).toMatchObject({ status: 404 });
    await echoOnce(mesh.port('echo'));
  });
});

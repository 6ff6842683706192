import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainEntry, GENESIS } from '../../../src/retirement/evidence/entry.ts';
import { viewPlan } from '../../../src/retirement/plan/view.ts';
import type { Status } from '../../../src/telemetry/status/status.ts';
import { openTab, startBrowser } from '../../support/clients/browser.ts';
import { type RunningEndpoint, startEndpoint } from '../../support/daemon/endpoint.ts';
import { startMesh } from '../../support/daemon/mesh.ts';
import { realPlan } from '../../support/fakes/plan-fixture.ts';
import { linkFixture, sessionFixture, statusFixture, tunnelFixture } from '../../support/fakes/status-fixture.ts';
import { has } from '../../support/machine/capabilities.ts';
import { patient } from '../../support/patience.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Serious findings of the accessibility linter, in its own words. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  });
}

/** As long as real ones: such words break a narrow page. */
const FINGERPRINT = `(SHA256:${'LLddUUmg08rmiQ4l12PewAV085v8KjCsjgSShc2UupQ'});`;

const overflows = (page: Page) =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');

describe.skipIf(!has('chromium'))('the status page in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  describe.skipIf(!has('sshd'))('of a real daemon', () => {
    it('shows the tunnel up, the outage with cause and fix, and the recovery, without a reload of the page', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      const probe = { tcp: {}, every: '1s', fall: 1, rise: 1 };
      await using mesh = await startMesh({ sshd, tunnels: { db: { target: echo.port, production: true, probe } } });
      await mesh.waitForTunnel('up');
      await using tab = await openTab(browser, `http://127.0.0.1:${mesh.endpointPort}/`);
      const { page, complaints } = tab;
      const row = page.locator('.tunnel', { hasText: 'db' });
      await row.getByText('2 sessions').waitFor();
      await page.getByText('live', { exact: true }).waitFor();
      expect(await page.title()).toBe('railiance01');
      await sshd.stop();
      await row.locator('.pill', { hasText: 'down' }).waitFor();
      await row.getByText('Fix:').waitFor();
      await row.getByText('connect_refused').waitFor();
      expect(await page.title()).toBe('down: railiance01');
      await page.locator('.events', { hasText: 'down' }).waitFor();
      await sshd.restart();
      await row.locator('.pill', { hasText: 'up' }).waitFor({ timeout: patient(60_000) });
      expect(complaints).toEqual([]);
    });

    it('says that the daemon is gone', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      const options = { sshd, tunnels: { db: { target: echo.port } } };
      const mesh = await startMesh(options);
      await mesh.waitForTunnel('up');
      await using tab = await openTab(browser, `http://127.0.0.1:${mesh.endpointPort}/`);
      await tab.page.locator('.tunnel').waitFor();
      await mesh[Symbol.asyncDispose]();
      await tab.page.getByText('the daemon is unreachable').waitFor();
      await tab.page.getByText('events interrupted').waitFor();
    });

    it('is what a browser gets on /status, while curl gets JSON', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      await using mesh = await startMesh({ sshd, tunnels: { db: { target: echo.port } } });
      await mesh.waitForTunnel('up');
      await using tab = await openTab(browser, `http://127.0.0.1:${mesh.endpointPort}/status`);
      await tab.page.locator('.tunnel').waitFor();
      expect(JSON.parse((await mesh.daemon.get('/status', { accept: '*/*' })).body)).toMatchObject({ schema: 1 });
    });
  });

  describe('of a snapshot', () => {
    const now = new Date();
    const ago = (seconds: number) => new Date(now.getTime() - seconds * 1_000);
    const refused = {
      code: 'connect_refused' as const,
      message: 'the server refuses connections',
      hint: 'Start sshd on the host, or correct `port`.',
      at: ago(30),
    };
    const certificate = {
      ...linkFixture().credential,
      type: 'certificate' as const,
      valid_after: ago(3_600),
      valid_before: ago(-7_200),
      renew_at: ago(-1_800),
    };
    const verdict = {
      tunnel: 'state-hub',
      verdict: 'blocked' as const,
      message: 'wave 1 is not complete',
      retired_at: null,
      checked_at: now.toISOString(),
      blockers: [
        {
          code: 'wave_open' as const,
          message: 'wave 1 is open',
          since: now.toISOString(),
          clears_when: 'wave 1 is complete',
          clears_at: null,
          clears_by_itself: false,
          examples: [],
        },
      ],
      unknowns: [],
      rollback: null,
    };
    const hub = tunnelFixture({
      since: ago(7_200),
      observed_since: ago(90_000),
      availability: { '24h': 0.9998 },
      retirement: { verdict: 'blocked', blockers: ['wave_open'], unknowns: [], waiting_helps: true },
    });
    const down = tunnelFixture({
      name: 'db',
      host: 'bastion',
      state: 'down',
      reason: `no SSH session to bastion: the login with ${FINGERPRINT} was rejected`,
      since: ago(70),
      last_error: refused,
      note: 'orders, read by the shop',
      listen: '127.0.0.1:15432',
      target: '10.0.0.12:5432',
      usage: { ...hub.usage, open: 0, held: 2 },
    });
    const well = statusFixture({
      version,
      now,
      started_at: ago(90_000),
      tunnels: [hub],
      links: [linkFixture({ credential: certificate, sessions: [sessionFixture({ since: ago(7_000) })] })],
    });
    const broken: Status = {
      ...well,
      state: 'down',
      reason: `db is down: no SSH session to bastion: the login with ${FINGERPRINT} was rejected`,
      tunnels: [hub, down],
      links: [
        ...well.links,
        linkFixture({ host: 'bastion', state: 'backoff', last_error: refused, next_attempt_at: ago(-9), sessions: [] }),
      ],
    };
    const plan = { path: 'p', sha256: 's', loaded_at: now, last_load: { ok: true, at: now, error: null }, waves: [] };

    let endpoint: RunningEndpoint;
    beforeAll(async () => {
      endpoint = await startEndpoint({
        dependencies: {
          drain: () => verdict,
          plan: () => viewPlan(realPlan(), [{ name: 'state-hub', drain: { step: '2.4' } }], now),
        },
      });
      for (let index = 0; index < 240; index++) endpoint.lastHour.tick(() => broken, index * 15_000);
    });
    afterAll(() => endpoint.stop());

    it.each([
      ['all is well', well, {}, 'well'],
      ['one tunnel is down', broken, {}, 'down'],
      ['one tunnel is down, in the dark', broken, { colorScheme: 'dark' as const }, 'down-dark'],
      ['one tunnel is down, on a phone', broken, { viewport: { width: 360, height: 740 } }, 'down-phone'],
      ['one tunnel is down, at 200 %', broken, { viewport: { width: 600, height: 450 } }, 'down-zoomed'],
      ['a plan drains tunnels', { ...well, plan }, {}, 'drain'],
    ])('has no serious accessibility finding and no sideways scrolling when %s', async (_, snapshot, options, name) => {
      endpoint.snapshot = snapshot;
      await using tab = await openTab(browser, endpoint.url, options);
      await tab.page.locator('.tunnel').first().waitFor();
      if (snapshot.plan !== null) await tab.page.getByText('gate closed').first().waitFor();
      await tab.screenshot(name);
      // A stop of the path is two or three lines high, also where the path goes down the page.
      const [stop] = await tab.page.locator('.stop').all();
      expect((await stop?.boundingBox())?.height).toBeLessThan(90);
      expect(await findings(tab.page)).toEqual([]);
      expect(await overflows(tab.page)).toBe(false);
      expect(tab.complaints).toEqual([]);
    });

    it('lists the broken tunnel first, although its name comes last', async () => {
      endpoint.snapshot = { ...broken, tunnels: [hub, { ...down, name: 'zz' }] };
      await using tab = await openTab(browser, endpoint.url);
      await tab.page.locator('.tunnel').first().waitFor();
      expect(await tab.page.locator('.tunnel h3').allInnerTexts()).toEqual(['zz', 'state-hub']);
    });

    it('shows verdict, charts and timeline of a tunnel behind its own link', async () => {
      endpoint.snapshot = well;
      const seen = { event: 'session.up', session: 7, credential: 'static_key', host: hub.host, actor: hub.actor };
      endpoint.events.add(chainEntry({ at: now, uptimeMs: 1, ...seen }, 1, GENESIS));
      await using tab = await openTab(browser, `${endpoint.url}/#/tunnel/state-hub`);
      await tab.page.getByRole('heading', { name: 'state-hub' }).waitFor();
      await waitUntil('the title', async () => (await tab.page.title()) === 'state-hub on railiance01');
      // The sessions belong to the story of the tunnel.
      await tab.page.getByText('session 7 up (static key)').waitFor();
      await tab.page.getByText('active session 1').waitFor();
      await tab.page.getByText('Clears when wave 1 is complete.').waitFor();
      await waitUntil('three charts are drawn', async () => (await tab.page.locator('.chart canvas').count()) === 3);
      await tab.screenshot('tunnel');
      expect(await findings(tab.page)).toEqual([]);
      await tab.page.getByRole('link', { name: 'All tunnels' }).click();
      await tab.page.locator('.tunnel').waitFor();
      expect(tab.complaints).toEqual([]);
    });

    it('follows no events while nobody looks, and asks for the missed ones', async () => {
      endpoint.snapshot = well;
      await using tab = await openTab(browser, endpoint.url);
      await tab.page.getByText('live', { exact: true }).waitFor();
      const setHidden = (hidden: boolean) =>
        tab.page.evaluate(
          `Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${hidden} });
           document.dispatchEvent(new Event('visibilitychange'));`,
        );
      const closed = tab.page.waitForEvent('requestfailed', (request) => request.url().endsWith('/events'));
      await setHidden(true);
      await closed;
      const opened = tab.page.waitForRequest((request) => request.url().endsWith('/events'));
      await setHidden(false);
      await opened;
    });

    it('says that a reload was rejected, and why', async () => {
      const last_reload = { ok: false, at: ago(60), error: 'tunnels.yaml:3:1: unknown key "hots"' };
      endpoint.snapshot = { ...well, config: { ...well.config, last_reload } };
      await using tab = await openTab(browser, endpoint.url);
      await tab.page.getByText('was rejected').waitFor();
      await tab.page.getByText('unknown key "hots"').waitFor();
    });

    it('gets the page of another version as soon as the daemon has another version', async () => {
      endpoint.snapshot = well;
      await using tab = await openTab(browser, endpoint.url);
      await tab.page.locator('.tunnel').waitFor();
      const reloaded = tab.page.waitForEvent('load', { timeout: patient(15_000) });
      endpoint.snapshot = { ...well, version: '99.0.0' };
      await reloaded;
      await tab.page.getByText('99.0.0').waitFor();
    });

    it('says that the page does not understand the daemon, instead of standing still', async () => {
      endpoint.snapshot = well;
      await using tab = await openTab(browser, endpoint.url);
      await tab.page.locator('.tunnel').waitFor();
      endpoint.snapshot = { ...well, tunnels: [{ ...hub, usage: null as unknown as typeof hub.usage }] };
      await tab.page.getByText('does not understand').waitFor();
    });

    it('says that a tunnel of a link does not exist', async () => {
      await using tab = await openTab(browser, `${endpoint.url}/#/tunnel/%3Cb%3Enobody`);
      await tab.page.getByText('No tunnel has the name <b>nobody.').waitFor();
    });

    it('shows hostile names, reasons and banners as text', async () => {
      const hostile = '<img src=x onerror=alert(1)>\u202e';
      endpoint.snapshot = {
        ...well,
        tunnels: [{ ...down, name: hostile, note: hostile, reason: hostile, host: 'coulombcore' }],
        links: [linkFixture({ sessions: [sessionFixture({ server: hostile })] })],
        advisories: [{ code: 'static_key', message: hostile }],
      };
      await using tab = await openTab(browser, endpoint.url);
      await tab.page.locator('.tunnel').waitFor();
      expect(await tab.page.locator('img').count()).toBe(0);
      const text = await tab.page.locator('body').innerText();
      expect(text.split('<img src=x onerror=alert(1)>\u25a1').length - 1).toBeGreaterThanOrEqual(4);
      expect(text).not.toContain('\u202e');
      expect(tab.complaints).toEqual([]);
    });

    it('stays quick with 1,000 tunnels, and finds one of them by keyboard', async () => {
      const tunnels = Array.from({ length: 1_000 }, (_, index) =>
        tunnelFixture({ name: `tunnel-${index}`, ...(index === 500 ? { state: 'down', reason: 'no session' } : {}) }),
      );
      endpoint.snapshot = { ...well, tunnels };
      const startedAt = performance.now();
      await using tab = await openTab(browser, endpoint.url);
      await tab.page.locator('.tunnel').first().waitFor();
      const paintMs = Math.round(performance.now() - startedAt);
      expect(await tab.page.locator('.tunnel h3').first().innerText()).toBe('tunnel-500');
      expect(await tab.page.locator('.tunnel').count()).toBe(50);
      await tab.screenshot('many');
      const searchedAt = performance.now();
      await tab.page.getByRole('searchbox').focus();
      await tab.page.keyboard.type('tunnel-77');
      await waitUntil('the search is done', async () => (await tab.page.locator('.tunnel').count()) === 11);
      const searchMs = Math.round(performance.now() - searchedAt);
      process.stderr.write(`page with 1,000 tunnels: first paint ${paintMs} ms, search ${searchMs} ms\n`);
      expect(paintMs).toBeLessThan(patient(5_000));
      expect(searchMs).toBeLessThan(patient(3_000));
      expect(tab.complaints).toEqual([]);
    });
  });
});

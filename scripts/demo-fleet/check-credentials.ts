import { sleep } from '../../src/base/async/sleep.ts';
import { waitUntil } from '../../tests/support/wait-until.ts';
import type { DemoCa } from './coulombcore.ts';
import { expectThat } from './expect-that.ts';
import { loadText, startLoad } from './load.ts';
import { type Serving, servingOf, type Turn, turnBetween } from './serving.ts';
import type { DemoFleet } from './start.ts';
import type { Step } from './step.ts';

const ROTATIONS = 2;
const WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 100;

/** Checks the credentials of the demo: the static key, the first certificates, rotations, and no lost request. */
export async function checkCredentials(
  fleet: DemoFleet,
  ca: DemoCa,
  step: Step,
  interrupted: AbortSignal,
): Promise<void> {
  await step('No CA yet: the static key is used', () => checkFallback(fleet, ca));
  const load = startLoad(fleet);
  let serving = servingOf(await fleet.daemon.status());
  const turn = async (wanted: Turn) => {
    serving = await turnFrom(fleet, serving, wanted, interrupted);
    expectThat(load.failed() === 0, loadText(load));
    return serving;
  };
  try {
    await step('The CA is up: certificates replace the static key', async () => {
      ca.comeUp();
      const { serial, validBefore } = await turn('first certificate');
      return `certificate ${serial}, valid until ${validBefore}; ${loadText(load)}`;
    });
    await step(`${ROTATIONS} rotations under load`, async () => {
      const from = load.served();
      const serials: (string | null)[] = [];
      while (serials.length < ROTATIONS) serials.push((await turn('rotation')).serial);
      expectThat(load.served() > from, 'no request was served during the rotations');
      return `rotated to certificates ${serials.join(' and ')}; ${loadText(load)}`;
    });
    await step('The static key can be removed', () => checkNoFallback(fleet));
  } finally {
    await load.stop();
  }
  await step('No request was lost', async () => {
    const { served, failures, slowestMs } = await load.stop();
    expectThat(served > 0 && failures.length === 0, `${loadText(load)}; first failure: ${failures[0]?.why}`);
    return `${loadText(load)}; the slowest took ${Math.round(slowestMs)} ms`;
  });
}

async function checkFallback({ daemon }: DemoFleet, { excuse, exception }: DemoCa): Promise<string> {
  const status = await daemon.status();
  const [link] = status.links;
  const types = link?.sessions.map(({ credential_type }) => credential_type);
  expectThat(types?.every((type) => type === 'static_key') === true, `the sessions use ${types}, not a static key`);
  expectThat(link?.credential.renewal?.last_error?.code === 'cert_command_failed', 'cert_command has not failed');
  for (const { name, state, reason } of status.tunnels) {
    const says = state === 'degraded' && reason?.includes(exception) && reason.includes(excuse);
    expectThat(says === true, `${name} is ${state}: ${reason}`);
  }
  const codes = status.advisories.map(({ code }) => code);
  expectThat(codes.includes('static_key_in_use'), `the advisories are [${codes}]`);
  const ready = await daemon.get('/readyz?production=true');
  expectThat(ready.status === 503, `/readyz?production=true answered ${ready.status}`);
  return `${status.reason}; advisory static_key_in_use; /readyz?production=true is 503`;
}

async function checkNoFallback({ daemon }: DemoFleet): Promise<string> {
  const removable = ({ links: [link] }: Awaited<ReturnType<typeof daemon.status>>) =>
    link?.credential.static_key?.removable === true;
  const { advisories, links } = await daemon.waitFor((status) => status.state === 'up' && removable(status), WITHIN_MS);
  const codes = advisories.map(({ code }) => code);
  expectThat(!codes.includes('static_key_in_use'), `the advisories are [${codes}]`);
  return String(links[0]?.credential.static_key?.verdict);
}

/** Waits for the turn. Sessions with the same credential may replace each other before. */
function turnFrom(
  { daemon }: DemoFleet,
  before: Serving | undefined,
  wanted: Turn,
  interrupted: AbortSignal,
): Promise<Serving> {
  const look = async () => {
    await sleep(LOOK_EVERY_MS, interrupted);
    const now = servingOf(await daemon.status());
    return now !== undefined && turnBetween(before, now) === wanted && now;
  };
  const explain = () => `log of the daemon:\n${daemon.log().trimEnd().split('\n').slice(-20).join('\n')}`;
  return waitUntil(`${wanted} on all sessions`, look, WITHIN_MS, explain);
}

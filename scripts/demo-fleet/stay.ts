import { sleep } from '../../src/base/async/sleep.ts';
import { statusText } from '../../src/operator/text/status.ts';
import type { Status } from '../../src/telemetry/status/status.ts';
import { loadText, REQUESTS_PER_SECOND, startLoad } from './load.ts';
import { Panel } from './panel.ts';
import { print, say } from './say.ts';
import type { DemoFleet } from './start.ts';
import { type Chapter, Story } from './story.ts';
import { whatToTry } from './what-to-try.ts';

const LOOK_EVERY_MS = 500;

/** Shows the fleet and its changes until an interrupt; throws if the daemon ends. Returns a summary. */
export async function stay(fleet: DemoFleet, interrupted: AbortSignal): Promise<string> {
  const from = performance.now();
  print(whatToTry(fleet));
  const load = startLoad(fleet);
  const story = new Story(fleet.options, fleet.coulombcore.ca, () => loadText(load));
  const panel = new Panel(process.stdout);
  let ended: string | undefined;
  void fleet.daemon.exit.then(({ code, signal }) => {
    ended = `the daemon ended unexpectedly (${signal ?? `exit code ${code}`})`;
  });
  const look = { shown: '' };
  try {
    while (!interrupted.aborted) {
      if (ended !== undefined) throw new Error(ended);
      const status = await fleet.daemon.status().catch(() => undefined);
      if (status !== undefined) show(fleet, status, story, panel, look, loadText(load));
      await sleep(LOOK_EVERY_MS, interrupted).catch(() => {});
    }
  } finally {
    panel.erase();
    await load.stop();
  }
  const { failures } = await load.stop();
  const seconds = Math.round((performance.now() - from) / 1_000);
  const first = failures[0] === undefined ? '' : `\n   First failure: ${failures[0].why}`;
  return `${loadText(load)} in ${seconds} s; ${story.rotations}${first}`;
}

function show(
  fleet: DemoFleet,
  status: Status,
  story: Story,
  panel: Panel,
  look: { shown: string },
  load: string,
): void {
  const chapter = story.next(status);
  const now = signature(status);
  const changed = look.shown !== now;
  look.shown = now;
  if (chapter !== undefined) {
    panel.erase();
    printChapter(chapter);
  }
  if (panel.shows) {
    const { colour, columns } = panel;
    panel.draw([...tableLines(fleet, statusText(status, { colour, columns })), '', loadLine(load, story)]);
  } else if (changed) {
    print(['', ...tableLines(fleet, statusText(status)), loadLine(load, story)].join('\n'));
  }
}

function printChapter({ headline, lines }: Chapter): void {
  if (headline !== undefined) say(headline);
  print(lines.map((line) => `   ${line}`).join('\n'));
}

function tableLines({ coulombcore }: DemoFleet, text: string): string[] {
  const kill = coulombcore.killCommand();
  return [...text.trimEnd().split('\n'), ...(kill === undefined ? [] : ['', `To kill these SSH sessions: ${kill}`])];
}

function loadLine(load: string, { rotations, waitsFor }: Story): string {
  return [`${REQUESTS_PER_SECOND} a second: ${load}`, waitsFor ?? rotations].join('; ');
}

/** A change of this text prints a new table if there is no live one. Without counters and times, which always change. */
function signature({ state, links, tunnels, config, advisories }: Status): string {
  return JSON.stringify([
    state,
    links.map((link) => [link.state, link.credential.type]),
    tunnels.map(({ name, state: own, route }) => [name, own, route]),
    advisories.map(({ code }) => code),
    config.sha256,
    config.last_reload?.at,
  ]);
}

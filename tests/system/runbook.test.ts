import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { has, hasBox } from '../support/machine/capabilities.ts';
import { waitUntil } from '../support/wait-until.ts';
import { shortened } from './runbook/adapt.ts';
import { missingLine, type Step, sectionsOf, withSections } from './runbook/blocks.ts';
import { RunbookFleet } from './runbook/fleet.ts';

const SECTIONS = sectionsOf(shortened(readFileSync('docs/runbook.md', 'utf8')));

describe.skipIf(!hasBox() || !has('ip') || !has('curl') || !has('python3'))('docs/runbook.md, block by block', () => {
  let fleet: RunbookFleet;

  beforeAll(async () => {
    fleet = await RunbookFleet.boot();
  }, 120_000);
  afterAll(() => fleet?.[Symbol.asyncDispose](), 30_000);

  const take = async (step: Step) => {
    const at = `docs/runbook.md:${step.line}`;
    switch (step.kind) {
      case 'sections': {
        const file = fleet.box.path(`/home/alex/fleet/${step.file}`);
        const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
        fleet.box.write(`/home/alex/fleet/${step.file}`, withSections(before, step.text));
        return;
      }
      case 'event':
        expect(step.name, at).toBe('the workstation is off for a day');
        await dayWithoutWorkstation();
        return;
      case 'commands': {
        const { code, stdout, stderr } = await fleet.run(step.place, step.text);
        const said = `${at}\n${stdout}${stderr}`;
        expect(code, code === 0 ? '' : `${said}\n${await fleet.box.journal(40)}`).toBe(0);
        expect(missingLine(stdout, step.expected), said).toBeUndefined();
      }
    }
  };

  /** The proof needs two looks of the daemon, half a minute apart. The second one finds no machine, the first one a closed port. */
  const dayWithoutWorkstation = async () => {
    const codes = async () => {
      const { stdout } = await fleet.box.run('curl', '-s', 'http://127.0.0.1:9780/events');
      const { events = [] } = JSON.parse(stdout) as { events?: { event: string; code?: string }[] };
      return new Set(events.flatMap(({ event, code }) => (event === 'host.unreachable' ? [code] : [])));
    };
    await waitUntil('the daemon has looked', async () => (await codes()).size === 1, 30_000);
    await fleet.switchOffWorkstation();
    await waitUntil('the daemon has looked again', async () => (await codes()).size > 1, 100_000);
  };

  it('has every section', () => {
    expect(SECTIONS.map(({ title }) => title)).toHaveLength(9);
  });

  it.each(SECTIONS)(
    'runs section $title',
    async ({ steps }) => {
      for (const step of steps) await take(step);
    },
    300_000,
  );
});

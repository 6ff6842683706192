import { waitUntil } from '../../../tests/support/wait-until.ts';
import { expectThat } from '../expect-that.ts';
import { TUNNEL } from './fleet.ts';
import { type Hub, TASKS } from './hub.ts';
import { answers, codesOf, type Scene, type Stage, tunnelNow, verdict } from './stage.ts';

/** The count in a backup of last night. */
const TASKS_OF_BEFORE = TASKS - 2;

/** Three cut-overs: one is refused, one rolls back by itself, one is committed. */
export function cutovers(): readonly Scene[] {
  let successor: Hub | undefined;
  const up = async ({ fleet }: Stage) => (successor ??= await fleet.startSuccessor());
  return [
    {
      title: 'The new State Hub is up, but tasks are missing: no cut-over',
      play: async (stage) => {
        (await up(stage)).haveTasks(TASKS_OF_BEFORE);
        const refused = await stage.operator.types(['cutover', TUNNEL], 1);
        expectThat(refused.includes(`tasks: ${TASKS} through the tunnel, ${TASKS_OF_BEFORE} at the`), refused);
        await answers(stage, 'coulombcore');
        return `the old hub has ${TASKS} tasks, the new one ${TASKS_OF_BEFORE}; nothing changed`;
      },
    },
    {
      title: 'Tasks restored: cut-over under load; the new hub fails, the cut-over rolls back',
      play: async (stage) => {
        const hub = await up(stage);
        hub.haveTasks(TASKS);
        const typed = stage.operator.types(['cutover', TUNNEL], 1);
        await Promise.race([typed, failDuringVerification(stage, hub)]);
        const output = await typed;
        hub.beHealthy(true);
        expectThat(/rolled back: .*3 times in a row/.test(output), output);
        expectThat((await tunnelNow(stage)).route === 'tunnel', 'the port does not lead to the tunnel');
        await answers(stage, 'coulombcore');
        return `rolled back; ${stage.clients.text()}`;
      },
    },
    {
      title: 'The new hub is fixed: the second cut-over is committed',
      play: async (stage) => {
        const { operator, clients } = stage;
        await operator.types(['cutover', TUNNEL], 0);
        expectThat((await tunnelNow(stage)).route === 'successor', 'the port does not lead to the successor');
        await answers(stage, 'railiance01');
        await operator.types(['plan', 'done', '2.2', '--evidence', `row counts match: ${TASKS} tasks`], 0);
        await operator.types(['plan', 'done', '2.3', '--evidence', '74 of 74 repos registered'], 0);
        const due = async () => !codesOf(await verdict(stage)).includes('wave_open');
        await waitUntil('the wave of the tunnel is done', due, 10_000);
        return `committed; the plan allows the retirement; ${clients.text()}`;
      },
    },
  ];
}

/** Makes the hub unhealthy once it serves clients. */
async function failDuringVerification(stage: Stage, hub: Hub): Promise<void> {
  const verifying = async () => (await tunnelNow(stage)).cutover?.phase === 'verifying';
  await waitUntil('the cut-over verifies the successor', verifying, 10_000);
  await answers(stage, 'railiance01');
  hub.beHealthy(false);
  stage.screen.print('     (the database of the new hub fails)');
}

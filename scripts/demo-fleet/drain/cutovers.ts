import { waitUntil } from '../../../tests/support/wait-until.ts';
import { expectThat } from '../expect-that.ts';
import { TUNNEL } from './fleet.ts';
import { type Hub, TASKS } from './hub.ts';
import { answers, codesOf, type Scene, type Stage, tunnelNow, verdict } from './stage.ts';

/** Restored from a backup of last night. */
const TASKS_OF_BEFORE = TASKS - 2;

/** Three cut-overs: one that is not begun, one that goes back by itself, and one that stays. */
export function cutovers(): readonly Scene[] {
  let successor: Hub | undefined;
  const up = async ({ fleet }: Stage) => (successor ??= await fleet.startSuccessor());
  return [
    {
      title: 'The new State Hub is up, but lacks something: no cut-over',
      play: async (stage) => {
        (await up(stage)).haveTasks(TASKS_OF_BEFORE);
        const refused = await stage.operator.types(['cutover', TUNNEL], 1);
        expectThat(refused.includes(`tasks: ${TASKS} through the tunnel, ${TASKS_OF_BEFORE} at the`), refused);
        await answers(stage, 'coulombcore');
        return `the two have ${TASKS} and ${TASKS_OF_BEFORE} tasks; nothing was changed`;
      },
    },
    {
      title: 'Restored: cut-over under load; the new one fails, and the port goes back by itself',
      play: async (stage) => {
        const hub = await up(stage);
        hub.haveTasks(TASKS);
        const typed = stage.operator.types(['cutover', TUNNEL], 1);
        await Promise.race([typed, failWhileItProvesItself(stage, hub)]);
        const told = await typed;
        hub.beHealthy(true);
        expectThat(/rolled back: .*3 times in a row/.test(told), told);
        expectThat((await tunnelNow(stage)).route === 'tunnel', 'the port is not with the tunnel');
        await answers(stage, 'coulombcore');
        return `rolled back; ${stage.clients.text()}`;
      },
    },
    {
      title: 'Fixed: the second cut-over stays',
      play: async (stage) => {
        const { operator, clients } = stage;
        await operator.types(['cutover', TUNNEL], 0);
        expectThat((await tunnelNow(stage)).route === 'successor', 'the port is not with the successor');
        await answers(stage, 'railiance01');
        await operator.types(['plan', 'done', '2.2', '--evidence', `row counts match: ${TASKS} tasks`], 0);
        await operator.types(['plan', 'done', '2.3', '--evidence', '74 of 74 repos registered'], 0);
        const due = async () => !codesOf(await verdict(stage)).includes('wave_open');
        await waitUntil('the daemon has seen that the tunnel is due', due, 10_000);
        return `committed, and the tunnel is due by the plan; ${clients.text()}`;
      },
    },
  ];
}

/** Its database goes away when it has the first clients. Settles when that is so. */
async function failWhileItProvesItself(stage: Stage, hub: Hub): Promise<void> {
  const verifying = async () => (await tunnelNow(stage)).cutover?.phase === 'verifying';
  await waitUntil('the successor has the port, and is being verified', verifying, 10_000);
  await answers(stage, 'railiance01');
  hub.beHealthy(false);
  stage.screen.print('     (the database of the new one goes away)');
}

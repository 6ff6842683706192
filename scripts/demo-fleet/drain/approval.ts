import { waitUntil } from '../../../tests/support/wait-until.ts';
import { expectThat } from '../expect-that.ts';
import { GATE, TUNNEL } from './fleet.ts';
import { under } from './operator.ts';
import { codesOf, type Scene, tunnelNow, verdict } from './stage.ts';

/** The blockers at the start, and one unknown: the daemon has only just begun to watch. */
const REASONS = [
  'wave_open',
  'gate_closed',
  'successor_unhealthy',
  'still_open',
  'recent_use',
  'not_cut_over',
  'no_rollback',
  'observation_gap',
];

/** From the first blockers to the approval of a human. */
export const APPROVAL: readonly Scene[] = [
  {
    title: 'The tunnel cannot be retired yet: eight reasons',
    play: async (stage) => {
      await waitUntil('clients use the tunnel', async () => (await tunnelNow(stage)).usage.open > 0, 10_000);
      const codes = codesOf(await verdict(stage));
      await stage.operator.types(['why', TUNNEL], 0, under('drain'));
      expectThat(codes.join() === REASONS.join(), `the reasons are ${codes.join(', ')}`);
      return `blocked by ${codes.join(', ')}`;
    },
  },
  {
    title: 'The plan lists the earlier steps; a dry run of the cut-over fails',
    play: async ({ operator, screen }) => {
      await operator.types(['plan', '--wave', '2'], 0);
      screen.print('   A dry run of the cut-over changes nothing:');
      const rehearsed = await operator.types(['cutover', TUNNEL, '--dry-run'], 1);
      expectThat(/FAIL {2}an approval is missing/.test(rehearsed), 'the closed gate does not block the cut-over');
      expectThat(
        /FAIL {2}successor .* is unhealthy/.test(rehearsed),
        'the missing successor does not block the cut-over',
      );
      return 'the cut-over needs an approval and a healthy successor';
    },
  },
  {
    title: 'Earlier steps are done, the rollback is documented, a human approves',
    play: async (stage) => {
      const { operator, screen, fleet } = stage;
      await operator.types(['plan', 'done', '1.5', '--evidence', 'no write to Gitea since 2026-11-14'], 0);
      await operator.types(['plan', 'done', '2.1', '--evidence', 'platform sign-off 88'], 0);
      screen.print('   The step needs the approval of a human:');
      await operator.types(['plan', 'done', '2.2', '--evidence', 'surely nobody minds'], 1);
      await operator.types(['plan', 'approve', GATE, '--by', 'worsch', '--evidence', 'decision 1234'], 0);
      screen.print(`   Into the tunnel YAML: drain: { rollback: "${fleet.writeRollback()}" }`);
      await operator.types(['reload'], 0);
      const cleared = ['gate_closed', 'no_rollback'];
      const codes = await waitUntil(
        `${cleared.join(' and ')} clear`,
        async () => {
          const found = codesOf(await verdict(stage));
          return cleared.some((code) => found.includes(code)) ? undefined : found;
        },
        10_000,
      );
      return `${cleared.join(' and ')} are cleared; left: ${codes.join(', ')}`;
    },
  },
];

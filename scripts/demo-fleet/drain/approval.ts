import { waitUntil } from '../../../tests/support/wait-until.ts';
import { expectThat } from '../expect-that.ts';
import { GATE, TUNNEL } from './fleet.ts';
import { under } from './operator.ts';
import { codesOf, type Scene, tunnelNow, verdict } from './stage.ts';

/** In the beginning; the last one is the daemon's own: it has only just begun to watch. */
const AGAINST = [
  'wave_open',
  'gate_closed',
  'successor_unhealthy',
  'still_open',
  'recent_use',
  'no_rollback',
  'observation_gap',
];

/** From "blocked by seven things" to the approval of a human. */
export const APPROVAL: readonly Scene[] = [
  {
    title: 'May the tunnel go? Seven things are against it',
    play: async (stage) => {
      await waitUntil('clients use the tunnel', async () => (await tunnelNow(stage)).usage.open > 0, 10_000);
      const codes = codesOf(await verdict(stage));
      await stage.operator.types(['why', TUNNEL], 0, under('drain'));
      expectThat(codes.join() === AGAINST.join(), `against it are ${codes.join(', ')}`);
      return `blocked by ${codes.join(', ')}`;
    },
  },
  {
    title: 'The plan says what comes before, and nothing moves yet',
    play: async ({ operator, screen }) => {
      await operator.types(['plan', '--wave', '2'], 0);
      screen.print('   Rehearsing the cut-over changes nothing:');
      const rehearsed = await operator.types(['cutover', TUNNEL, '--dry-run'], 1);
      expectThat(/FAIL {2}an approval is missing/.test(rehearsed), 'the closed gate does not stop it');
      expectThat(
        /FAIL {2}the successor .* is unhealthy/.test(rehearsed),
        'the successor that is away does not stop it',
      );
      return 'a cut-over lacks an approval and a successor';
    },
  },
  {
    title: 'The work before it is done, the way back is written down, a human approves',
    play: async (stage) => {
      const { operator, screen, fleet } = stage;
      await operator.types(['plan', 'done', '1.5', '--evidence', 'no write to Gitea since 2026-11-14'], 0);
      await operator.types(['plan', 'done', '2.1', '--evidence', 'platform sign-off 88'], 0);
      screen.print('   Nobody gets past a human gate:');
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
      return `${cleared.join(' and ')} have cleared; left: ${codes.join(', ')}`;
    },
  },
];

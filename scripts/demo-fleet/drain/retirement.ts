import { expectThat } from '../expect-that.ts';
import { HOLD_MS, STEP, TUNNEL } from './fleet.ts';
import { type Lines, under } from './operator.ts';
import { answers, codesOf, type Scene, tunnelNow, verdict } from './stage.ts';

/** The important lines of the evidence; the file has all. */
const IMPORTANT: Lines = (line) => /-> (idle|holding|rolling_back|committed)|verdict|retired/.test(line);

/** From the cut-over to the evidence. */
export const RETIREMENT: readonly Scene[] = [
  {
    title: 'Two blockers are left: an old connection is open, and the tunnel was used recently',
    play: async (stage) => {
      const { operator, clients, screen } = stage;
      await operator.types(['why', TUNNEL], 0, under('route', 'clients', 'drain'));
      const codes = codesOf(await verdict(stage));
      expectThat(codes.includes('still_open') && codes.includes('recent_use'), `the reasons are ${codes.join(', ')}`);
      await clients.closeKept();
      screen.print('   That client connects again.');
      await operator.types(['wait', TUNNEL, '--for', 'retirable', '--timeout', '60s'], 0);
      const { verdict: now } = await verdict(stage);
      expectThat(now === 'retirable', `the verdict is ${now}`);
      return 'retirable: no client used the tunnel during quiet_for, and the daemon watched';
    },
  },
  {
    title: 'The tunnel is retired permanently; the port stays open',
    play: async (stage) => {
      const { operator, clients, fleet } = stage;
      await operator.types(['retire', TUNNEL], 0);
      await operator.types(['plan', 'done', STEP, '--evidence', 'activity-core reaches hub at railiance01'], 0);
      await operator.types(['status'], 0);
      const { state, route } = await tunnelNow(stage);
      expectThat(
        state === 'retired' && route === 'successor',
        `the tunnel is ${state}, its port leads to the ${route}`,
      );
      const { links } = await fleet.daemon.waitFor((status) => status.links.length === 0);
      await answers(stage, 'railiance01');
      return `${links.length} SSH sessions are left; ${clients.text()}`;
    },
  },
  {
    title: 'The evidence',
    play: async ({ operator }) => {
      const output = await operator.types(['events', '--tunnel', TUNNEL], 0, IMPORTANT);
      for (const each of ['rolling_back', 'committed', 'retired'])
        expectThat(output.includes(each), `the evidence lacks ${each}`);
      const verified = await operator.types(['events', '--verify'], 0);
      const intact = /^intact; .*$/m.exec(verified)?.[0];
      expectThat(intact !== undefined, verified);
      return intact;
    },
  },
  {
    title: 'No request was lost',
    play: async ({ clients, fleet }) => {
      const { served, failures, slowestMs } = await clients.stop();
      expectThat(served > 0 && failures.length === 0, `${clients.text()}; first failure: ${failures[0]?.why}`);
      const { code, signal } = await fleet.daemon.stop();
      expectThat(code === 0, `the daemon ended with ${signal ?? `exit code ${code}`}`);
      return `${clients.text()}; the slowest took ${Math.round(slowestMs)} ms (hold: ${HOLD_MS})`;
    },
  },
];

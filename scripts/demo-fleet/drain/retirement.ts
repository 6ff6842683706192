import { expectThat } from '../expect-that.ts';
import { HOLD_MS, STEP, TUNNEL } from './fleet.ts';
import { type Lines, under } from './operator.ts';
import { answers, codesOf, type Scene, tunnelNow, verdict } from './stage.ts';

/** What a reader of the evidence is to see here; the rest is told in the file. */
const TOLD: Lines = (line) => /-> (idle|holding|rolling_back|committed)|verdict|retired/.test(line);

/** From the cut-over to the evidence of all. */
export const RETIREMENT: readonly Scene[] = [
  {
    title: 'What is left: a client that has kept its old connection, and quiet',
    play: async (stage) => {
      const { operator, clients, screen } = stage;
      await operator.types(['why', TUNNEL], 0, under('route', 'clients', 'drain'));
      const codes = codesOf(await verdict(stage));
      expectThat(codes.includes('still_open') && codes.includes('recent_use'), `against it are ${codes.join(', ')}`);
      await clients.letGo();
      screen.print('   That client connects again.');
      await operator.types(['wait', TUNNEL, '--for', 'retirable', '--timeout', '60s'], 0);
      const { verdict: now } = await verdict(stage);
      expectThat(now === 'retirable', `the verdict is ${now}`);
      return 'nobody has used the tunnel for quiet_for, and the daemon has watched: retirable';
    },
  },
  {
    title: 'Retired: the tunnel ends for good, the port stays',
    play: async (stage) => {
      const { operator, clients, fleet } = stage;
      await operator.types(['retire', TUNNEL], 0);
      await operator.types(['plan', 'done', STEP, '--evidence', 'activity-core reaches hub at railiance01'], 0);
      await operator.types(['status'], 0);
      const { state, route } = await tunnelNow(stage);
      expectThat(state === 'retired' && route === 'successor', `it is ${state}, its port with the ${route}`);
      const { links } = await fleet.daemon.waitFor((status) => status.links.length === 0);
      await answers(stage, 'railiance01');
      return `${links.length} SSH sessions are left; ${clients.text()}`;
    },
  },
  {
    title: 'The evidence',
    play: async ({ operator }) => {
      const told = await operator.types(['events', '--tunnel', TUNNEL], 0, TOLD);
      for (const each of ['rolling_back', 'committed', 'retired'])
        expectThat(told.includes(each), `no word of ${each}`);
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
      expectThat(served > 0 && failures.length === 0, `${clients.text()}, the first one: ${failures[0]?.why}`);
      const { code, signal } = await fleet.daemon.stop();
      expectThat(code === 0, `the daemon ended with ${signal ?? `exit code ${code}`}`);
      return `${clients.text()}; the slowest took ${Math.round(slowestMs)} ms (hold: ${HOLD_MS})`;
    },
  },
];

import { print } from '../say.ts';
import { APPROVAL } from './approval.ts';
import { startClients } from './clients.ts';
import { cutovers } from './cutovers.ts';
import type { DrainFleet } from './fleet.ts';
import { Operator } from './operator.ts';
import { RETIREMENT } from './retirement.ts';
import { Screen } from './screen.ts';

const READ_MS = 3_000;

/**
 * Plays wave 2 scene by scene and adds each scene to `passed`; throws at the first failure. Returns the counts of requests,
 * also after an interrupt.
 *
 * @param live whether to pause for a reader
 */
export async function playDrain(
  fleet: DrainFleet,
  { live, interrupted }: { readonly live: boolean; readonly interrupted: AbortSignal },
  passed: string[],
): Promise<string> {
  const clients = startClients(fleet.port);
  const screen = new Screen(live, () => clients.text());
  const stage = { fleet, clients, screen, operator: new Operator(fleet, screen, interrupted) };
  try {
    for (const [index, { title, play }] of [...APPROVAL, ...cutovers(), ...RETIREMENT].entries()) {
      interrupted.throwIfAborted();
      screen.say(`${index + 1}. ${title}`);
      const shown = await play(stage).catch((error: unknown) => {
        throw new Error(`${title}: ${error instanceof Error ? error.message : error}`, { cause: error });
      });
      screen.print(`   => ${shown}`);
      passed.push(`PASS  ${title}: ${shown}`);
      await screen.beat(READ_MS, interrupted);
    }
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    screen[Symbol.dispose]();
    await clients.stop();
  }
  if (interrupted.aborted) print('   Interrupted.');
  return clients.text();
}

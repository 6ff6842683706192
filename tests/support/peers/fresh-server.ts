import { afterEach, beforeEach } from 'vitest';
import { expectNoLeaks, type Holdings, takeBaseline } from '../machine/leaks.ts';

/**
 * Starts a server before each test of the file, and stops it afterwards. Then this process may hold no more than before.
 *
 * @param onStarted receives the server of the next test
 */
export function freshServer<S extends AsyncDisposable>(start: () => Promise<S>, onStarted: (server: S) => void): void {
  let baseline: Holdings;
  let server: S;
  beforeEach(async () => {
    baseline = await takeBaseline(50);
    server = await start();
    onStarted(server);
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await expectNoLeaks(baseline);
  });
}

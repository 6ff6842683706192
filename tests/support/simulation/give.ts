import { expect } from 'vitest';
import type { World } from './world.ts';

/** Gives the daemon of the world a command, and expects success within five simulated seconds. */
export async function give({ clock, operator }: World, what: string, request: Record<string, unknown>): Promise<void> {
  const { reply } = operator.send(what, request);
  await clock.run(5_000);
  expect(await reply).toMatchObject({ ok: true });
}

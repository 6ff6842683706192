import { TunnelError } from '../base/errors.ts';
import type { ActorConfig } from '../config/config.ts';
import type { Rotators } from '../tunnels/credential/rotators.ts';
import type { Supervisor } from '../tunnels/tunnel/supervisor.ts';

/**
 * Another credential for the actor, now: a new certificate, or the key taken up anew; and new sessions in the place of all
 * present ones, make before break. Returns one line for people. Rejects with a TunnelError when there is no other
 * credential, or a link keeps its old sessions because the new one is no use there. Bounded.
 */
export async function rotateActor(actor: ActorConfig, rotators: Rotators, supervisor: Supervisor): Promise<string> {
  await rotators.rotate(actor);
  const links = await supervisor.rotations(actor.name);
  const failed = links.find(({ error }) => error !== undefined);
  if (failed?.error)
    throw new TunnelError(
      failed.error.code,
      `the new credential is not in use at ${failed.host}: ${failed.error.message}`,
      {
        cause: failed.error,
        hint: `${failed.error.hint} It goes on being tried; sessions that were there serve on.`,
      },
    );
  const { type, serial, valid_before } = rotators.status(actor);
  const what =
    type === 'certificate'
      ? `certificate ${serial}, valid until ${valid_before ?? 'the end of time'}`
      : type.replaceAll('_', ' ');
  const where =
    links.length === 0 ? 'no link goes by it' : `links replaced: ${links.map(({ host }) => host).join(', ')}`;
  return `${actor.name}: ${what}; ${where}`;
}

import { TunnelError } from '../base/errors.ts';
import type { ActorConfig } from '../config/config.ts';
import type { Rotators } from '../tunnels/credential/rotators.ts';
import type { Supervisor } from '../tunnels/tunnel/supervisor.ts';

/**
 * Rotates the credential of the actor now: obtains a new certificate, or reads the key again. Then replaces all
 * sessions, make before break. Returns one line for people. Rejects with a TunnelError if no new credential is
 * available, or if a link keeps its old sessions because the new credential does not work there. Bounded.
 */
export async function rotateActor(actor: ActorConfig, rotators: Rotators, supervisor: Supervisor): Promise<string> {
  await rotators.rotate(actor);
  const links = await supervisor.rotations(actor.name);
  const failed = links.find(({ error }) => error !== undefined);
  if (failed?.error)
    throw new TunnelError(
      failed.error.code,
      `the new credential is not yet in use at ${failed.host}: ${failed.error.message}`,
      {
        cause: failed.error,
        hint: `${failed.error.hint} The daemon keeps trying; the old sessions stay in use.`,
      },
    );
  const { type, serial, valid_before } = rotators.status(actor);
  const what =
    type === 'certificate'
      ? `certificate ${serial}, valid ${valid_before === null ? 'forever' : `until ${valid_before}`}`
      : type.replaceAll('_', ' ');
  const where =
    links.length === 0 ? 'no link uses the actor' : `links replaced: ${links.map(({ host }) => host).join(', ')}`;
  return `${actor.name}: ${what}; ${where}`;
}

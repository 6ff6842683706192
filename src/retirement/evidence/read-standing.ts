import { machineHash } from '../../base/this-machine.ts';
import { parseEntry } from './entry.ts';
import { readEvent } from './events.ts';
import { filesSince, readLines } from './files.ts';
import { Standing } from './standing.ts';

/** Lines without any of these say nothing about retirements; to parse the others costs most of the time. */
const TELLING = ['"retired"', 'tunnel.retired', 'tunnel.removed', 'retirement.ended', 'operator.up', 'daemon.started'];

/**
 * What the log in a state directory says at its end about the tunnels of this machine. Rejects if the log cannot be read.
 *
 * @param since older lines are not needed
 */
export async function readStanding(directory: string, since: Date): Promise<Standing> {
  const standing = new Standing();
  for await (const { text, whole } of readLines(directory, await filesSince(directory, since))) {
    if (!whole || !TELLING.some((word) => text.includes(word))) continue;
    const entry = parseEntry(text.toString('utf8'));
    if (entry) standing.record(readEvent(entry), new Date(entry.at));
  }
  standing.runsOn(machineHash());
  return standing;
}

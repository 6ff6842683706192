import { z } from 'zod';
import { entry } from './entry.ts';

/** What `GET /events` answers. */
export const eventsAnswer = z.object({
  schema: z.literal(1),
  now: z.iso.datetime(),
  /** Whether these are all that there were since the time that was asked for; older ones are in the files. */
  complete: z.boolean(),
  /** The last entry on the disk; null while the log is not open. */
  head: z.object({ seq: z.int(), hash: z.string() }).nullable(),
  /** Oldest first, as they are in the log. */
  events: z.array(entry),
});
export type EventsAnswer = z.infer<typeof eventsAnswer>;

import { z } from 'zod';
import { TUNNEL_STATES } from './status/status.ts';

const time = z.iso.datetime();

/** What a tunnel tells of itself at each heartbeat. */
export const pulse = z.object({
  state: z.enum(TUNNEL_STATES),
  /** Whether clients were served: also over a link that goes by a stand-in for its credential, which is `degraded`. */
  serving: z.boolean(),
  /** Client connections open or held. */
  open: z.int().min(0),
  /** Since the daemon started. */
  opened_total: z.int().min(0),
  last_activity_at: time.nullable(),
});
export type Pulse = z.infer<typeof pulse>;

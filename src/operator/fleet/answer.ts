import { z } from 'zod';
import { nodeState } from '../../telemetry/status/node-state.ts';
import { instant } from '../../telemetry/status/status.ts';

/** Where Prometheus can scrape a node. */
const scrape = z.object({
  target: z.string(),
  /** `tunnel`: through a tunnel of this node. `host`: the address of the host, which nobody has proved. */
  via: z.enum(['tunnel', 'host']),
});

/** One node behind the links. The fields of its state are null while the node does not answer. */
const fleetNode = z.object({
  /** The name in `hosts` of the tunnel YAML. */
  host: z.string(),
  /** The actor of the link that carried the answer, or of the last link that was tried. */
  actor: z.string(),
  /** The address of its endpoint, as seen from the host. */
  endpoint: z.string(),
  answers: z.boolean(),
  /** The name that the node gave itself in its last answer. */
  node: z.string().nullable(),
  version: z.string().nullable(),
  started_at: instant.nullable(),
  state: nodeState.shape.state.nullable(),
  reason: z.string().nullable(),
  tunnels: nodeState.shape.tunnels.nullable(),
  asked_at: instant,
  /** The last answer since the start of this daemon. */
  answered_at: instant.nullable(),
  /** Why the node does not answer. */
  error: z.object({ code: z.string(), message: z.string(), hint: z.string(), at: instant }).nullable(),
  scrape,
});
export type FleetNode = z.infer<typeof fleetNode>;

/** The answer of `/fleet`. */
export const fleetAnswer = z.object({
  schema: z.literal(1),
  now: instant,
  /** This node itself. */
  self: nodeState,
  /** The nodes that the links reach, by host. */
  nodes: z.array(fleetNode),
  /** Hosts that were not asked, because there are too many. */
  not_asked: z.array(z.string()),
});
export type FleetAnswer = z.infer<typeof fleetAnswer>;

/** The answer of `/sd`: HTTP service discovery of Prometheus. */
export const scrapeTargets = z.array(
  z.object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) }),
);
export type ScrapeTargets = z.infer<typeof scrapeTargets>;

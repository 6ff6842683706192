import { z } from 'zod';
import { verdictAnswer } from '../../../retirement/drain/answer.ts';
import { eventsAnswer } from '../../../retirement/evidence/entry.ts';
import { planView } from '../../../retirement/plan/view.ts';
import { status, tunnelStatus } from '../../../telemetry/status/status.ts';
import { fleetAnswer, scrapeTargets } from '../../fleet/answer.ts';
import { hourAnswer, tunnelHourAnswer } from '../../page/last-hour.ts';

const problem = z.looseObject({
  /** `urn:fleet-mesh:problem:CODE`. */
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
});

const verdictList = z.object({
  schema: z.literal(1),
  node: z.string(),
  checked_at: z.iso.datetime(),
  tunnels: z.array(verdictAnswer),
});

/** The answers of the endpoint, by name of the component. */
const COMPONENTS = {
  Status: status,
  Tunnel: tunnelStatus,
  Verdict: verdictAnswer,
  VerdictList: verdictList,
  Events: eventsAnswer,
  Plan: planView,
  Fleet: fleetAnswer,
  ScrapeTargets: scrapeTargets,
  Hour: hourAnswer,
  TunnelHour: tunnelHourAnswer,
  Alive: z.object({ alive: z.literal(true) }),
  Ready: z.object({ ready: z.literal(true), reasons: z.array(z.string()) }),
  Problem: problem,
} as const satisfies Record<string, z.ZodType>;

export type ComponentName = keyof typeof COMPONENTS;

/** The JSON Schemas of all answers (draft 2020-12, the dialect of OpenAPI 3.1), which refer to each other. */
export function componentSchemas(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(COMPONENTS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: referenceTo });
  // $schema and $id belong to documents of their own, and a component is a part of one.
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]));
}

/** The reference to a component. */
export function referenceTo(id: string): string {
  return `#/components/schemas/${id}`;
}

import { z } from 'zod';

/** What the checks across the plan look at: whatever is not even of the right type is left out (the schema reports it). */
const id = z.union([z.string(), z.number()]).optional().catch(undefined);
const ids = z.array(id).optional().catch(undefined);

/** A list; an item that is no mapping keeps its place, so that the others keep theirs. */
function items<Item extends z.ZodType>(item: Item) {
  return z
    .array(z.union([item, z.unknown().transform(() => undefined)]))
    .optional()
    .catch(undefined);
}

const outlineSchema = z
  .object({
    frozen: z.record(z.string(), z.unknown()).optional().catch(undefined),
    gates: items(z.object({ id, blocks: ids })),
    waves: items(z.object({ id, requires: ids, steps: items(z.object({ id })) })),
    workloads: items(z.object({ id, wave: id })),
    exceptions: items(
      z.object({
        id,
        covers: z
          .object({ workloads: ids, actor: z.unknown().optional(), tunnels: z.unknown().optional() })
          .optional()
          .catch(undefined),
        until: z.object({ waves: ids, step: id, condition: z.unknown().optional() }).optional().catch(undefined),
      }),
    ),
  })
  .catch({});

export type PlanOutline = z.infer<typeof outlineSchema>;

/** The outline of any plain value; never fails. */
export function planOutlineOf(data: unknown): PlanOutline {
  return outlineSchema.parse(data);
}

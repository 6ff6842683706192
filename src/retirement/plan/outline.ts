import { z } from 'zod';

// The parts of a plan that the cross checks read. Values of a wrong type are left out; the schema reports them.
const id = z.union([z.string(), z.number()]).optional().catch(undefined);
const ids = z.array(id).optional().catch(undefined);

/** A list. An item that is not a mapping becomes undefined, so that the others keep their index. */
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

/** The outline of any value; never throws. */
export function planOutlineOf(data: unknown): PlanOutline {
  return outlineSchema.parse(data);
}

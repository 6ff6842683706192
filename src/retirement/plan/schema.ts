import { z } from 'zod';
import { wants } from '../../config/expectation.ts';
import { mapping, named, text, wholeNumber, word } from '../../config/schema/scalars.ts';
import { instantMs, MOMENT_PATTERN } from './moment.ts';

/**
 * The drain plan: types and bounds of every field. check-references.ts checks references inside the plan,
 * policy.ts checks the fleet's policy. The descriptions are public.
 */
const ID_EXPECTED = 'an id of letters, digits, ".", "_" and "-"';
const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const id = text(ID_EXPECTED, 63).regex(ID_PATTERN, { error: wants(ID_EXPECTED) });
const stepId = text('a step id such as "2.4"', 63).regex(ID_PATTERN, { error: wants('a step id such as "2.4"') });
const waveId = wholeNumber(0, 999);
const words = text('text of one line', 1_000);

const MOMENT_EXPECTED = 'a date such as 2026-07-03, or an instant such as 2026-07-20T10:00:00Z';
const moment = z
  .string({ error: wants(MOMENT_EXPECTED) })
  .regex(MOMENT_PATTERN, { error: wants(MOMENT_EXPECTED) })
  .refine((written) => instantMs(written) !== undefined, { error: wants(MOMENT_EXPECTED) });

function list<Item extends z.ZodType>(item: Item, what: string) {
  return z.array(item, { error: wants(`a list of ${what}`) });
}

/** The approval of a gate: who, when, and the evidence. */
export const approval = mapping({
  by: text('the name of a person').describe('Who approved the gate.'),
  at: moment.describe('When the gate was approved: a date or an RFC 3339 instant.'),
  evidence: words.describe('Proof of the approval: a decision, a document, an event.'),
});

/** The completion of a step: when, and the evidence. */
export const completion = mapping({
  at: moment.describe('When the step was done: a date or an RFC 3339 instant.'),
  evidence: words.describe('Proof that the step is done.'),
});

const gate = mapping({
  id: id.describe('Name of the gate, for `fleet-mesh plan approve`.'),
  title: words.describe('What the gate approves.'),
  owner: words.describe('Who may approve the gate.'),
  workplan: words.optional().describe('The workplan of the gate.'),
  blocks: list(stepId, 'step ids such as ["2.2"]')
    .min(1, { error: wants('at least one step id') })
    .describe('The steps that must wait for the approval.'),
  approved: approval.optional().describe('The approval. If missing, the gate is closed.'),
});

const step = mapping({
  id: stepId.describe('Number of the step, in quotes: "2.4".'),
  action: words.describe('What the step does.'),
  done_when: words.optional().describe('The condition that shows that the step is done.'),
  done: completion.optional().describe('The completion. If missing, the step is open.'),
});

const wave = mapping({
  id: waveId.describe('Number of the wave.'),
  title: words.describe('What the wave moves.'),
  goal: words.optional().describe('The goal of the wave, in one sentence.'),
  workplans: list(words, 'workplans').optional().describe('The workplans of the wave.'),
  requires: list(waveId, 'wave numbers').describe('The waves that must be complete first; [] for none.'),
  note: words.optional().describe('Free text.'),
  steps: list(step, 'steps')
    // A wave without steps would be complete from the start, which nobody intends.
    .min(1, { error: wants('at least one step') })
    .describe('The steps of the wave, in the order of work.'),
});

const WORKLOAD_STATUSES = [
  'grandfathered',
  'planned',
  'observed',
  'interim active',
  'wait',
  'on target',
  'retired',
] as const;

/** How a range of waves is written. */
export const RANGE_PATTERN = /^\d{1,3}-\d{1,3}$/;
const WAVES_EXPECTED = 'the number of a wave, or a range such as 2-4';
const workload = mapping({
  id: wholeNumber(1, 9_999).describe('Row of the workload in the placement register.'),
  name: words.describe('Name of the workload.'),
  kind: word(['service', 'identity', 'machine'])
    .prefault('service')
    .describe(
      '`service`; `identity` (everything authenticates through this workload, so it moves last); or `machine` (a whole host, rebuilt after identity). Default service.',
    ),
  current: words.describe('The place of the workload now.'),
  target: words
    .optional()
    .describe('The place that the workload moves to, or `retired`. The policy requires a target.'),
  method: words.optional().describe('How the workload moves.'),
  owners: list(words, 'workplans or teams')
    .prefault([])
    .describe(
      'Who moves the workload. The policy requires an owner, unless the workload is on target and has no wave.',
    ),
  wave: z
    .union([waveId, z.string().regex(RANGE_PATTERN, { error: wants(WAVES_EXPECTED) })], {
      error: wants(WAVES_EXPECTED),
    })
    .optional()
    .describe('The wave that moves the workload, or a range such as 2-4. If missing, the workload does not move.'),
  status: word(WORKLOAD_STATUSES).describe('Progress of the move.'),
});

const exception = mapping({
  id: id.describe('Name of the exception, for `fallback.exception` in the tunnel YAML.'),
  title: words.optional().describe('Title of the exception.'),
  covers: mapping({
    actor: text('the name of an actor', 63).optional().describe('An actor that may use a static key.'),
    tunnels: list(text('the name of a tunnel', 63), 'tunnel names')
      .optional()
      .describe('Production tunnels that may go to a frozen host.'),
    workloads: list(wholeNumber(1, 9_999), 'rows of workloads').optional().describe('Rows of workloads in this plan.'),
  }).describe('What the exception allows. It allows nothing else.'),
  reason: words.describe('Why the exception is needed.'),
  until: z
    .union(
      [
        moment,
        mapping({
          waves: list(waveId, 'wave numbers')
            .min(1, { error: wants('at least one wave') })
            .optional()
            .describe('The exception ends when all these waves are complete.'),
          step: stepId.optional().describe('The exception ends when this step is done.'),
          condition: words
            .optional()
            .describe(
              'The exception ends when a person sees this and removes the exception. It never expires by itself.',
            ),
        }),
      ],
      { error: wants(`${MOMENT_EXPECTED}, or a mapping with waves, step or condition`) },
    )
    .describe(
      'When the exception ends: after a day (UTC), at an instant, or with exactly one of `waves`, `step` and `condition`.',
    ),
  rollback: words.describe('The rollback procedure.'),
  approval: words.describe('Who or what approved the exception.'),
});

export const planSchema = mapping({
  version: z.literal(1, { error: wants('1') }).describe('Version of this file format: 1.'),
  frozen: named(
    mapping({
      since: moment.describe('Since when the host takes no new production.'),
      policy: words.describe('The document that froze the host.'),
    }),
  )
    .prefault({})
    .describe('Hosts that take no new production, by their names in the tunnel YAML.'),
  gates: list(gate, 'gates').prefault([]).describe('Approvals that only a person can give.'),
  waves: list(wave, 'waves').describe('The waves of the drain, in order.'),
  workloads: list(workload, 'workloads').prefault([]).describe('The placement register.'),
  exceptions: list(exception, 'exceptions').prefault([]).describe('All exceptions to the policy.'),
});

/** JSON Schema (draft 2020-12) of the file, before defaults. */
export function planJsonSchema(): z.core.JSONSchema.BaseSchema {
  return {
    ...z.toJSONSchema(planSchema, { io: 'input', target: 'draft-2020-12' }),
    title: 'fleet-mesh drain plan',
    description: 'The waves that drain a host, the approvals that they need, and the exceptions to the policy.',
  };
}

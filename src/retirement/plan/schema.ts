import { z } from 'zod';
import { wants } from '../../config/expectation.ts';
import { mapping, named, text, wholeNumber, word } from '../../config/schema/scalars.ts';
import { instantMs, MOMENT_PATTERN } from './moment.ts';

/**
 * The drain plan (SPEC section 7): types and bounds of every single field. What refers to something else in the plan is
 * looked at by check-references.ts, what the fleet's policy asks by policy.ts. The descriptions are public.
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

/** Who approved a human gate, when, and what shows it. */
export const approval = mapping({
  by: text('the name of a person').describe('Who approved it.'),
  at: moment.describe('When: a date or an RFC 3339 instant.'),
  evidence: words.describe('What shows it: a decision, a document, an event.'),
});

/** When a step was done, and what shows it. */
export const completion = mapping({
  at: moment.describe('When: a date or an RFC 3339 instant.'),
  evidence: words.describe('What shows it.'),
});

const gate = mapping({
  id: id.describe('Its name for `fleet-mesh plan approve`.'),
  title: words.describe('What is to be approved.'),
  owner: words.describe('Who may approve it.'),
  workplan: words.optional().describe('The workplan that it belongs to.'),
  blocks: list(stepId, 'step ids such as ["2.2"]')
    .min(1, { error: wants('at least one step id') })
    .describe('The steps that must not be done before it is approved.'),
  approved: approval.optional().describe('The approval. Absent: the gate is closed.'),
});

const step = mapping({
  id: stepId.describe('Its number, quoted: "2.4".'),
  action: words.describe('What is to be done.'),
  done_when: words.optional().describe('How one sees that it is done.'),
  done: completion.optional().describe('That it is done. Absent: the step is open.'),
});

const wave = mapping({
  id: waveId.describe('Its number.'),
  title: words.describe('What it brings about.'),
  goal: words.optional().describe('Its goal, in a sentence.'),
  workplans: list(words, 'workplans').optional().describe('The workplans that carry it.'),
  requires: list(waveId, 'wave numbers').describe('The waves that must be complete before: [] for none.'),
  note: words.optional().describe('Free text.'),
  steps: list(step, 'steps')
    // A wave of no steps would be complete from the start, which nobody means.
    .min(1, { error: wants('at least one step') })
    .describe('Its steps, in the order in which they are done.'),
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
  id: wholeNumber(1, 9_999).describe('Its row in the placement register.'),
  name: words.describe('What it is.'),
  kind: word(['service', 'identity', 'machine'])
    .prefault('service')
    .describe(
      'identity: everything authenticates through it, so it moves last; machine: a whole host, reborn after that. Default service.',
    ),
  current: words.describe('Where it is now.'),
  target: words.optional().describe('Where it is going, or `retired`. The policy wants one.'),
  method: words.optional().describe('How it gets there.'),
  owners: list(words, 'workplans or teams')
    .prefault([])
    .describe('Who moves it. The policy wants one, unless nothing moves.'),
  wave: z
    .union([waveId, z.string().regex(RANGE_PATTERN, { error: wants(WAVES_EXPECTED) })], {
      error: wants(WAVES_EXPECTED),
    })
    .optional()
    .describe('The wave in which it moves, or a range such as 2-4. Absent: it does not move.'),
  status: word(WORKLOAD_STATUSES).describe('How far it is.'),
});

const exception = mapping({
  id: id.describe('Its name, for `fallback.exception` of the tunnel YAML.'),
  title: words.optional().describe('What it is about.'),
  covers: mapping({
    actor: text('the name of an actor', 63).optional().describe('An actor that may use a static key.'),
    tunnels: list(text('the name of a tunnel', 63), 'tunnel names')
      .optional()
      .describe('Production tunnels that may go to a frozen host.'),
    workloads: list(wholeNumber(1, 9_999), 'rows of workloads').optional().describe('Workloads of this plan.'),
  }).describe('What it allows; nothing else.'),
  reason: words.describe('Why it is needed.'),
  until: z
    .union(
      [
        moment,
        mapping({
          waves: list(waveId, 'wave numbers')
            .min(1, { error: wants('at least one wave') })
            .optional()
            .describe('Until all of these waves are complete.'),
          step: stepId.optional().describe('Until this step is done.'),
          condition: words.optional().describe('Until something that only people can see; it never expires by itself.'),
        }),
      ],
      { error: wants(`${MOMENT_EXPECTED}, or a mapping with waves, step or condition`) },
    )
    .describe('When it ends: through a day (UTC), at an instant, or exactly one of waves, step and condition.'),
  rollback: words.describe('The way back.'),
  approval: words.describe('Who or what approved it.'),
});

export const planSchema = mapping({
  version: z.literal(1, { error: wants('1') }).describe('Version of this file format: 1.'),
  frozen: named(
    mapping({
      since: moment.describe('Since when nothing new may go there.'),
      policy: words.describe('The document that says so.'),
    }),
  )
    .prefault({})
    .describe('Hosts that take no new production, by the names that the tunnel YAML has for them.'),
  gates: list(gate, 'gates').prefault([]).describe('What only a human can approve.'),
  waves: list(wave, 'waves').describe('The waves of the drain, in their order.'),
  workloads: list(workload, 'workloads').prefault([]).describe('The placement register.'),
  exceptions: list(exception, 'exceptions').prefault([]).describe('The documented exceptions; there are no others.'),
});

/** JSON Schema (draft 2020-12) of the file as it is written, that is before defaults. */
export function planJsonSchema(): z.core.JSONSchema.BaseSchema {
  return {
    ...z.toJSONSchema(planSchema, { io: 'input', target: 'draft-2020-12' }),
    title: 'fleet-mesh drain plan',
    description: 'In which waves a host is drained, what a human must approve, and which exceptions there are.',
  };
}

import { type Command, Option } from 'commander';
import type { CommandIo, Ends } from './command.ts';
import { chosenFrom, configOption } from './options.ts';
import type { PlanOptions, ShowPlanOptions } from './plan.ts';
import { INVENTORY_FORMATS, PLAN_FORMATS } from './plan-formats.ts';
import { terminal } from './terminal.ts';

interface Entry {
  by: string;
  evidence: string;
}

/** Adds `plan`, `plan approve` and `plan done` to the program. */
export function addPlanCommands(program: Command, ends: Ends, io: CommandIo): void {
  const plan = program
    .command('plan')
    .description('shows the drain plan: progress, dependencies, and the tunnels that depend on steps')
    .addOption(configOption())
    .option('--plan <file>', 'the plan file (default: plan in --config)')
    .option('--json', 'print the plan and its evaluation as JSON', false)
    .option('--wave <number>', 'one wave (default: all)')
    .addOption(
      chosenFrom(
        PLAN_FORMATS,
        new Option('--format <format>', 'text, json (as --json), or inventory: the placement register'),
      ),
    )
    .addOption(chosenFrom(INVENTORY_FORMATS, new Option('--as <format>', 'how to print the inventory (default: yaml)')))
    .action(
      ends(async (options: ShowPlanOptions) => (await import('./plan.ts')).showPlan(options, { ...io, ...look() })),
    );

  plan
    .command('approve')
    .description('records in the plan that a human gate is approved')
    .argument('<gate>', 'id of the gate')
    .requiredOption('--by <who>', 'who approved the gate')
    .requiredOption('--evidence <text>', 'the proof: a decision or a document')
    .action(
      ends(async (gate: string, { by, evidence }: Entry, command: Command) =>
        (await import('./plan.ts')).editPlan(
          command.optsWithGlobals<PlanOptions>(),
          { kind: 'approve', gate, by, evidence },
          io,
        ),
      ),
    );

  plan
    .command('done')
    .description('records in the plan that a step is done')
    .argument('<step>', 'id of the step, e.g. 2.4')
    .requiredOption('--evidence <text>', 'the proof that the step is done')
    .action(
      ends(async (step: string, { evidence }: Entry, command: Command) =>
        (await import('./plan.ts')).editPlan(
          command.optsWithGlobals<PlanOptions>(),
          { kind: 'done', step, evidence },
          io,
        ),
      ),
    );
}

function look(): { colour: boolean; width: number | undefined } {
  const { colour, columns } = terminal();
  return { colour, width: columns };
}

import type { Command } from 'commander';
import type { CommandIo, Ends } from './command.ts';
import { configOption } from './options.ts';
import { editPlan, type PlanOptions, showPlan } from './plan.ts';

interface Entry {
  by: string;
  evidence: string;
}

/** Adds `plan`, `plan approve` and `plan done` to the program. */
export function addPlanCommands(program: Command, ends: Ends, io: CommandIo): void {
  const plan = program
    .command('plan')
    .description('the drain plan: what is done, what waits for what, which tunnels hang on it')
    .addOption(configOption())
    .option('--plan <file>', 'the plan itself, instead of the one that --config names')
    .option('--json', 'print the plan and what follows from it as JSON', false)
    .option('--wave <number>', 'one wave instead of all')
    .action(ends((options: PlanOptions & { wave?: string }) => showPlan(options, { ...io, ...terminal() })));

  plan
    .command('approve')
    .description('writes into the plan that a human gate is approved')
    .argument('<gate>', 'its id')
    .requiredOption('--by <who>', 'who approved it')
    .requiredOption('--evidence <text>', 'what shows it: a decision, a document')
    .action(
      ends((gate: string, { by, evidence }: Entry, command: Command) =>
        editPlan(command.optsWithGlobals<PlanOptions>(), { kind: 'approve', gate, by, evidence }, io),
      ),
    );

  plan
    .command('done')
    .description('writes into the plan that a step is done')
    .argument('<step>', 'its id, such as 2.4')
    .requiredOption('--evidence <text>', 'what shows it')
    .action(
      ends((step: string, { evidence }: Entry, command: Command) =>
        editPlan(command.optsWithGlobals<PlanOptions>(), { kind: 'done', step, evidence }, io),
      ),
    );
}

/** Colours on a terminal where nobody wants none (no-color.org: set and not empty), and how wide it is. */
function terminal(): { colour: boolean; width: number | undefined } {
  const { NO_COLOR } = process.env;
  const isTerminal = process.stdout.isTTY === true;
  return {
    colour: isTerminal && (NO_COLOR === undefined || NO_COLOR === ''),
    width: isTerminal ? process.stdout.columns : undefined,
  };
}

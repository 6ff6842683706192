import { createHash } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';
import { NotReplaced, replaceFile } from '../../base/files/replace-file.ts';
import { printable } from '../../base/text/printable.ts';
import { readDocument } from '../../config/document.ts';
import { type ConfigEnvironment, outsideOfUnit } from '../../config/paths.ts';
import { ConfigError, showProblem } from '../../config/problem.ts';
import { findPlan } from '../../retirement/plan/find.ts';
import { type Inventory, inventoryOf, inventoryYaml } from '../../retirement/plan/inventory.ts';
import { loadPlan } from '../../retirement/plan/load.ts';
import type { Plan } from '../../retirement/plan/plan.ts';
import { type PlanEntry, recordIn } from '../../retirement/plan/record.ts';
import { stepFacts } from '../../retirement/plan/step-facts.ts';
import { type DrainingTunnel, viewPlan } from '../../retirement/plan/view.ts';
import { inventoryMarkdown } from '../text/inventory.ts';
import { planText } from '../text/plan.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { INVENTORY_FORMATS, PLAN_FORMATS } from './plan-formats.ts';
import { tellPlanEdit } from './tell-plan-edit.ts';

/** The options of the plan commands. */
export interface PlanOptions {
  /** Path of the tunnel YAML, which names the plan. */
  readonly config: string;
  /** The plan file; overrides the tunnel YAML. */
  readonly plan?: string | undefined;
  readonly json?: boolean | undefined;
}

export type PlanIo = CommandIo & {
  readonly colour?: boolean | undefined;
  /** Width of the terminal, in columns; undefined without a terminal. */
  readonly width?: number | undefined;
};

interface Surroundings {
  readonly env?: ConfigEnvironment;
  readonly now?: Date;
}

export interface ShowPlanOptions extends PlanOptions {
  readonly wave?: string | undefined;
  /** As written; one of {@link PLAN_FORMATS}. */
  readonly format?: string | undefined;
  /** As written; one of {@link INVENTORY_FORMATS}. */
  readonly as?: string | undefined;
}

/** `fleet-mesh plan [--wave N] [--format …]`: shows the progress, the dependencies, and the tunnels that depend on steps. */
export function showPlan(
  options: ShowPlanOptions,
  io: PlanIo,
  { env = process.env, now = new Date() }: Surroundings = {},
): Promise<ExitCode> {
  return explaining(io, async () => {
    const wrong = wrongFormat(options);
    if (wrong !== undefined) {
      io.err(`fleet-mesh: ${wrong}\n`);
      return EXIT.usage;
    }
    const found = await locate(options, io, env);
    if (found === undefined) return EXIT.configuration;
    const view = viewPlan(await loadPlan(found.path), found.tunnels, now);
    const wave = options.wave === undefined ? undefined : view.waves.find(({ id }) => String(id) === options.wave);
    if (options.wave !== undefined && wave === undefined) {
      const known = view.waves.map(({ id }) => id).join(', ');
      io.err(`fleet-mesh: the plan has no wave ${JSON.stringify(options.wave)}; waves: ${known || 'none'}\n`);
      return EXIT.usage;
    }
    if (options.format === 'inventory') io.out(inventoryText(inventoryOf(view, wave?.id), options));
    else if (options.json === true || options.format === 'json') io.out(`${JSON.stringify(wave ?? view, null, 2)}\n`);
    else io.out(planText(view, { colour: io.colour === true, width: io.width, wave: wave?.id }));
    return EXIT.ok;
  });
}

function wrongFormat({ format = 'text', as, json }: ShowPlanOptions): string | undefined {
  if (!PLAN_FORMATS.includes(format))
    return `unknown format ${JSON.stringify(format)}; formats: ${PLAN_FORMATS.join(', ')}`;
  if (as === undefined) return undefined;
  if (format !== 'inventory') return '--as needs --format inventory';
  if (json === true && as !== 'json') return `--json and --as ${as} exclude each other`;
  if (INVENTORY_FORMATS.includes(as)) return undefined;
  return `unknown format ${JSON.stringify(as)} of an inventory; formats: ${INVENTORY_FORMATS.join(', ')}`;
}

function inventoryText(inventory: Inventory, { json, as }: ShowPlanOptions): string {
  if (as === 'markdown') return inventoryMarkdown(inventory);
  return json === true || as === 'json' ? `${JSON.stringify(inventory, null, 2)}\n` : inventoryYaml(inventory);
}

/** `fleet-mesh plan approve` and `plan done`: writes the entry into the plan file, and nothing else. */
export function editPlan(
  options: PlanOptions,
  entry: PlanEntry,
  io: PlanIo,
  { env = process.env, now = new Date() }: Surroundings = {},
): Promise<ExitCode> {
  return explaining(io, async () => {
    const found = await locate(options, io, env);
    if (found === undefined) return EXIT.configuration;
    const before = await readDocument(found.path);
    const result = recordIn(before, found.path, entry, now);
    if ('kind' in result) {
      io.err(`fleet-mesh: ${result.message}\n`);
      return result.kind === 'usage' ? EXIT.usage : EXIT.failed;
    }
    try {
      await replaceFile(found.path, before, Buffer.from(result.text));
    } catch (error) {
      const reason = messageOf(error);
      if (!(error instanceof NotReplaced) && !(error instanceof Error && 'code' in error)) throw error;
      io.err(`fleet-mesh: ${found.path} was not changed: ${reason}\n`);
      return EXIT.failed;
    }
    const view = viewPlan(result.plan, found.tunnels, now);
    io.err(notDue(result.plan, entry, now));
    const sha256Before = createHash('sha256').update(before).digest('hex');
    const evidence = await tellPlanEdit(
      { config: options.config, entry, sha256Before, sha256After: result.plan.sha256 },
      env,
    );
    if (!evidence.recorded) io.err(notRecorded(evidence.reason));
    if (options.json === true)
      io.out(`${JSON.stringify({ ok: true, path: found.path, next: view.next, evidence }, null, 2)}\n`);
    else
      io.out(
        `${describe(entry)} in ${found.path}${evidence.recorded ? `, and in the evidence up to entry ${evidence.seq}` : ''}; next: ${view.next.join(', ') || 'nothing, every wave is complete'}\n`,
      );
    return EXIT.ok;
  });
}

function describe(entry: PlanEntry): string {
  if (entry.kind === 'approve') return `gate ${entry.gate} is approved by ${entry.by}`;
  return `step ${entry.step} is done`;
}

function notRecorded(reason: string): string {
  return `fleet-mesh: note: the edit is in the plan file only, not in the evidence: ${printable(reason)}. The daemon records the SHA-256 of the plan when it next reads the file.\n`;
}

/** Steps may be done out of order; a note shows a possible mistake at once. */
function notDue(plan: Plan, entry: PlanEntry, now: Date): string {
  const facts = entry.kind === 'done' ? stepFacts(plan, entry.step, now) : '';
  if (typeof facts === 'string' || facts.openWaves.length + facts.openSteps.length === 0) return '';
  const open = [...facts.openWaves.map((id) => `wave ${id}`), ...facts.openSteps.map((id) => `step ${id}`)];
  return `fleet-mesh: note: step ${facts.id} was not due; open before this step: ${open.join(', ')}\n`;
}

async function locate(
  options: PlanOptions,
  io: PlanIo,
  env: ConfigEnvironment,
): Promise<{ readonly path: string; readonly tunnels: readonly DrainingTunnel[] } | undefined> {
  if (options.plan !== undefined) return { path: options.plan, tunnels: [] };
  const { path, tunnels } = await findPlan(options.config, outsideOfUnit(env));
  if (path === undefined) {
    io.err(`fleet-mesh: ${options.config} names no plan; add plan: FILE at the top level, or use --plan FILE\n`);
    return undefined;
  }
  if (tunnels === undefined) {
    io.err(
      `fleet-mesh: ${options.config} is not valid, so tunnels are not shown; run fleet-mesh check --config ${options.config}\n`,
    );
  }
  return { path, tunnels: tunnels ?? [] };
}

/** For an invalid file: prints all of its problems; exit code 78. */
async function explaining(io: PlanIo, run: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`${error.problems.map(showProblem).join('\n')}\n`);
    return EXIT.configuration;
  }
}

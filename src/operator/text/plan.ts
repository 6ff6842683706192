import { printable } from '../../base/text/printable.ts';
import { movesIn } from '../../retirement/plan/plan.ts';
import type { GateView, PlanView, StepView, WaveView } from '../../retirement/plan/view.ts';
import { PLAIN, paintFor } from './paint.ts';
import { wrapped } from './wrap.ts';

export interface PlanTextOptions {
  /** ANSI colours. */
  readonly colour?: boolean;
  /** Show only one wave. */
  readonly wave?: number | undefined;
  /** In columns: longer lines are broken between words. Undefined: no line is broken. */
  readonly width?: number | undefined;
}

/** The plan as text: the next steps, the tunnels with their steps, then each wave with its steps. */
export function planText(view: PlanView, options: PlanTextOptions = {}): string {
  const paint = options.colour === true ? paintFor : PLAIN;
  const waves = view.waves.filter(({ id }) => options.wave === undefined || id === options.wave);
  const detail = waves.map((wave) => waveLines(wave, view, paint));
  const sections =
    options.wave === undefined
      ? [summary(view), nextLines(view), tunnelLines(waves), ...detail, exceptionLines(view, paint)]
      : [...detail, tunnelLines(waves), workloadLines(view, options.wave)];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.flatMap((line) => wrapped(line, options.width)).join('\n'))
    .join('\n\n')}\n`;
}

type Painter = typeof PLAIN;

function summary({ path, waves, gates, frozen, workloads }: PlanView): string[] {
  const steps = waves.flatMap((wave) => wave.steps);
  const moving = workloads.filter(({ wave }) => wave !== null).length;
  const count = [
    `${waves.filter(({ complete }) => complete).length} of ${waves.length} waves complete`,
    `${steps.filter(({ state }) => state === 'done').length} of ${steps.length} steps done`,
    `${gates.filter(({ approved }) => approved !== null).length} of ${gates.length} human gates approved`,
  ];
  return [
    `plan ${printable(path)}: ${count.join(', ')}`,
    ...frozen.map(
      ({ host, since, policy }) =>
        `${printable(host)} is frozen since ${printable(since)} (${printable(policy)}); ${moving} of ${workloads.length} workloads move`,
    ),
  ];
}

function nextLines(view: PlanView): string[] {
  if (view.next.length === 0) return ['NEXT  nothing: every wave is complete'];
  return view.next.map((id, index) => {
    const step = view.waves.flatMap(({ steps }) => steps).find((candidate) => candidate.id === id);
    const gates = step === undefined ? [] : [...step.blocked_by.gates_before, ...step.blocked_by.gates];
    const approval = gates.length === 0 ? '' : `, once ${gates.map((gate) => ownerOf(gate, view)).join(' and ')}`;
    return `${index === 0 ? 'NEXT  ' : '      '}${printable(id)} ${printable(step?.action ?? '')}${approval}`;
  });
}

function ownerOf(gateId: string, { gates }: PlanView): string {
  const gate = gates.find(({ id }) => id === gateId);
  return `${printable(gate?.owner ?? 'the owner')} approves ${printable(gateId)}`;
}

function waveLines(wave: WaveView, view: PlanView, paint: Painter): string[] {
  const done = wave.steps.filter(({ state }) => state === 'done').length;
  const state = wave.complete
    ? paint('up')('COMPLETE')
    : wave.blocked_by.length > 0
      ? paint('stopped')(`WAITS for ${listed(wave.blocked_by.map(String), 'wave')}`)
      : paint('degraded')('OPEN');
  const count = `${done} of ${wave.steps.length} done`;
  const gates = view.gates.filter(({ blocks }) => wave.steps.some(({ id }) => blocks.includes(id)));
  const before = new Set(gates.filter((gate) => isOnAll(gate, wave)).map(({ id }) => id));
  return [
    `WAVE ${wave.id}  ${printable(wave.title)}  ${state}, ${count}`,
    ...(wave.goal === null ? [] : [`  goal: ${printable(wave.goal)}`]),
    ...(wave.note === null ? [] : [`  note: ${printable(wave.note)}`]),
    ...gates.map((gate) => gateLine(gate, wave, paint)),
    ...wave.steps.flatMap((step) => stepLines(step, before, paint)),
  ];
}

function isOnAll({ blocks }: GateView, { steps }: WaveView): boolean {
  return steps.every(({ id }) => blocks.includes(id));
}

function gateLine(gate: GateView, wave: WaveView, paint: Painter): string {
  const { id, title, owner, approved, blocks } = gate;
  const what = `gate ${printable(id)} (${printable(title)})`;
  if (approved !== null)
    return `  ${paint('up')('open  ')} ${what}: approved by ${printable(approved.by)} at ${approved.at}, ${printable(approved.evidence)}`;
  const before = isOnAll(gate, wave) ? 'any step of this wave' : listed(blocks.map(printed), 'step');
  return `  ${paint('down')('closed')} ${what}: ${printable(owner)} must approve before ${before}`;
}

/** One step. Gates of the whole wave (`onAll`) and earlier steps are not repeated here. */
function stepLines(step: StepView, onAll: ReadonlySet<string>, paint: Painter): string[] {
  const mark = { done: paint('up')('[x]'), ready: paint('degraded')('[ ]'), blocked: '[ ]' }[step.state];
  const gates = step.blocked_by.gates.filter((id) => !onAll.has(id));
  const detail = [
    ...(step.done === null ? [] : [`done at ${step.done.at}: ${printable(step.done.evidence)}`]),
    ...(step.done === null && step.done_when !== null ? [`done when: ${printable(step.done_when)}`] : []),
    ...(step.state === 'ready' ? [paint('degraded')('ready')] : []),
    ...(gates.length === 0 ? [] : [`waits for ${listed(gates.map(printed), 'gate')}`]),
    ...(step.tunnels.length === 0 ? [] : [`retires ${listed(step.tunnels.map(printed), 'tunnel')}`]),
  ];
  return [`  ${mark} ${printable(step.id)}  ${printable(step.action)}`, ...detail.map((line) => `           ${line}`)];
}

/** The tunnels that depend on a step, with everything that each step waits for. */
function tunnelLines(waves: readonly WaveView[]): string[] {
  const hanging = waves.flatMap(({ steps }) =>
    steps.flatMap((step) =>
      step.tunnels.map((tunnel) => `  ${printable(tunnel)} depends on step ${printable(step.id)}${waits(step)}`),
    ),
  );
  return hanging.length === 0 ? [] : ['TUNNELS', ...hanging];
}

/** The workloads that move in a wave: from, to, and by which owner. */
function workloadLines({ workloads }: PlanView, wave: number): string[] {
  const moving = workloads.filter((workload) => movesIn(workload, wave));
  if (moving.length === 0) return [];
  return [
    'WORKLOADS',
    ...moving.map(({ id, name, status, current, target, owners }) => {
      const way = `now ${printable(current)}; then ${printable(target ?? 'target unknown')}`;
      return `  ${String(id).padStart(2)}  ${printable(name)} (${status}): ${way}; moved by ${owners.map(printed).join(', ') || 'nobody'}`;
    }),
  ];
}

function waits({ state, blocked_by }: StepView): string {
  if (state === 'done') return ' (done): the tunnel can be retired';
  if (state === 'ready') return ' (ready)';
  const { waves, steps, gates, gates_before } = blocked_by;
  const parts = [
    listed(waves.map(String), 'wave'),
    listed(steps.map(printed), 'step'),
    listed([...gates_before, ...gates].map(printed), 'gate'),
  ];
  return `, which waits for ${parts.filter((part) => part !== '').join('; ')}`;
}

function printed(id: string): string {
  return printable(id);
}

/** `wave 1`, `waves 1, 2 and 3`; nothing for none. */
function listed(names: readonly string[], noun: string): string {
  if (names.length < 2) return names.length === 0 ? '' : `${noun} ${names[0]}`;
  return `${noun}s ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function exceptionLines({ exceptions }: PlanView, paint: Painter): string[] {
  if (exceptions.length === 0) return ['EXCEPTIONS  none'];
  return [
    'EXCEPTIONS',
    ...exceptions.flatMap(({ id, title, state, until, reason, rollback, approval }) => [
      `  ${state === 'live' ? paint('degraded')('live   ') : paint('down')('EXPIRED')} ${printable(id)}${title === null ? '' : ` (${printable(title)})`}`,
      `          ${state === 'live' ? 'until' : 'because'} ${printable(until)}; ${printable(reason)}`,
      `          back: ${printable(rollback)}; approved: ${printable(approval)}`,
    ]),
  ];
}

import { PLAIN, paintFor } from '../health/paint.ts';
import { printable } from '../printable.ts';
import type { GateView, PlanView, StepView, WaveView } from './view.ts';

export interface PlanTextOptions {
  /** ANSI colours. */
  readonly colour?: boolean;
  /** One wave instead of all, and what concerns it. */
  readonly wave?: number | undefined;
}

/** The plan as a person reads it: what is next, then wave by wave what is done, what waits for what, and what hangs on it. */
export function planText(view: PlanView, options: PlanTextOptions = {}): string {
  const paint = options.colour === true ? paintFor : PLAIN;
  const waves = view.waves.filter(({ id }) => options.wave === undefined || id === options.wave);
  const whole = options.wave === undefined;
  const sections = [
    whole ? summary(view) : [],
    whole ? nextLines(view) : [],
    ...waves.map((wave) => waveLines(wave, view, paint)),
    whole ? exceptionLines(view, paint) : [],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
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
    const gates = step?.blocked_by.gates ?? [];
    const approval = gates.length === 0 ? '' : `, once ${gates.map((gate) => ownerOf(gate, view)).join(' and ')}`;
    return `${index === 0 ? 'NEXT  ' : '      '}${printable(id)} ${printable(step?.action ?? '')}${approval}`;
  });
}

function ownerOf(gateId: string, { gates }: PlanView): string {
  const gate = gates.find(({ id }) => id === gateId);
  return `${printable(gate?.owner ?? 'somebody')} approves ${printable(gateId)}`;
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
  return [
    `WAVE ${wave.id}  ${printable(wave.title)}  ${state}, ${count}`,
    ...(wave.goal === null ? [] : [`  goal: ${printable(wave.goal)}`]),
    ...(wave.note === null ? [] : [`  note: ${printable(wave.note)}`]),
    ...gates.map((gate) => gateLine(gate, paint)),
    ...wave.steps.flatMap((step) => stepLines(step, paint)),
  ];
}

function gateLine({ id, title, owner, approved, blocks }: GateView, paint: Painter): string {
  const what = `gate ${printable(id)} (${printable(title)})`;
  if (approved === null)
    return `  ${paint('down')('closed')} ${what}: ${printable(owner)} has to approve it before ${listed(
      blocks.map((step) => printable(step)),
      'step',
    )}`;
  return `  ${paint('up')('open  ')} ${what}: approved by ${printable(approved.by)} at ${approved.at}, ${printable(approved.evidence)}`;
}

/** That a step waits for the wave and the steps before it goes without saying; what a tunnel hangs on is spelt out. */
function stepLines(step: StepView, paint: Painter): string[] {
  const mark = { done: paint('up')('[x]'), ready: paint('degraded')('[ ]'), blocked: '[ ]' }[step.state];
  const gates = step.blocked_by.gates.map((id) => printable(id));
  const detail = [
    ...(step.done === null ? [] : [`done at ${step.done.at}: ${printable(step.done.evidence)}`]),
    ...(step.done === null && step.done_when !== null ? [`done when: ${printable(step.done_when)}`] : []),
    ...(step.state === 'ready' ? [paint('degraded')('nothing blocks it')] : []),
    ...(gates.length === 0 ? [] : [`waits for ${listed(gates, 'gate')}`]),
    ...step.tunnels.map((tunnel) => `tunnel ${printable(tunnel)} hangs on it${waits(step)}`),
  ];
  return [`  ${mark} ${printable(step.id)}  ${printable(step.action)}`, ...detail.map((line) => `           ${line}`)];
}

function waits({ state, blocked_by }: StepView): string {
  if (state !== 'blocked') return state === 'done' ? ', and can go' : '';
  const { waves, steps, gates, gates_before } = blocked_by;
  const parts = [
    listed(waves.map(String), 'wave'),
    listed(
      steps.map((id) => printable(id)),
      'step',
    ),
    listed(
      [...gates_before, ...gates].map((id) => printable(id)),
      'gate',
    ),
  ];
  return `, and waits for ${parts.filter((part) => part !== '').join('; ')}`;
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

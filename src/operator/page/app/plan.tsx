import { linkTo } from './route.ts';
import type { Plan } from './types.ts';
import { shown } from './words.ts';

type Wave = Plan['waves'][number];
type Step = Wave['steps'][number];

/** The drain plan as waves, each with what blocks it. */
export function PlanSection({ plan }: { readonly plan: Plan }) {
  const closed = plan.gates.filter(({ approved }) => approved === null);
  return (
    <section aria-labelledby="plan">
      <h2 id="plan">Drain plan</h2>
      {closed.length > 0 && (
        <ul class="plain gates">
          {closed.map((gate) => (
            <li key={gate.id}>
              <span class="pill warn">gate closed</span> {shown(gate.title)}
              <span class="muted">
                {' '}
                by {shown(gate.owner)}, blocks {gate.blocks.map(shown).join(', ')}
              </span>
            </li>
          ))}
        </ul>
      )}
      <ol class="waves">
        {plan.waves.map((wave) => (
          <WaveCard key={wave.id} wave={wave} />
        ))}
      </ol>
    </section>
  );
}

function WaveCard({ wave }: { readonly wave: Wave }) {
  const done = wave.steps.filter(({ state }) => state === 'done').length;
  const steps = (
    <ul class="plain">
      {wave.steps.map((step) => (
        <StepLine key={step.id} step={step} />
      ))}
    </ul>
  );
  return (
    <li class="card wave">
      <div class="tunnel-head">
        <h3>
          Wave {wave.id}: {shown(wave.title)}
        </h3>
        <span class={`pill ${wave.complete ? 'good' : wave.blocked_by.length > 0 ? 'warn' : 'calm'}`}>
          {wave.complete ? 'complete' : `${done} of ${wave.steps.length} done`}
        </span>
      </div>
      {wave.blocked_by.length > 0 && (
        <p class="muted">
          Waits for wave{wave.blocked_by.length === 1 ? '' : 's'} {wave.blocked_by.join(', ')}.
        </p>
      )}
      {wave.complete ? (
        <details>
          <summary class="muted">Steps</summary>
          {steps}
        </details>
      ) : (
        steps
      )}
    </li>
  );
}

function StepLine({ step }: { readonly step: Step }) {
  const { steps, gates, gates_before: before } = step.blocked_by;
  // The wave itself says which waves it waits for.
  const reasons = [
    ...steps.map((id) => `step ${shown(id)}`),
    ...[...gates, ...before].map((id) => `gate ${shown(id)}`),
  ];
  const mark = step.state === 'done' ? '✓' : step.state === 'ready' ? '→' : '·';
  return (
    <li class={`step ${step.state}`}>
      <span aria-hidden="true">{mark}</span> <b>{shown(step.id)}</b> {shown(step.action)}
      <span class="visually-hidden"> ({step.state})</span>
      {reasons.length > 0 && <span class="muted"> waits for {reasons.join(', ')}</span>}
      {step.tunnels.map((name) => (
        <a key={name} class="tag" href={linkTo(name)}>
          {shown(name)}
        </a>
      ))}
    </li>
  );
}

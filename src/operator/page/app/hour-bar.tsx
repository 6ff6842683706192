import type { Tunnel } from './types.ts';
import { plural } from './words.ts';

/** Bars of an hour: four minutes of samples each. */
const BARS = 60;

const WORST = 'dgvwursn';
const NAMES: Readonly<Record<string, Tunnel['state'] | 'unknown'>> = {
  u: 'up',
  g: 'degraded',
  d: 'down',
  v: 'unverified',
  w: 'draining',
  r: 'retired',
  s: 'stopped',
};

/** The last hour of a tunnel: a bar for each minute, with the worst state of that minute. */
export function HourBar({ states }: { readonly states: string | undefined }) {
  const bars = barsOf(states ?? '');
  const label = `Last hour: ${inWords(bars)}`;
  return (
    <div>
      <svg class="hour" viewBox={`0 0 ${BARS * 4} 20`} role="img" aria-label={label} preserveAspectRatio="none">
        <title>{label}</title>
        {bars.map((bar, index) => (
          <rect key={index} class={`bar-${NAMES[bar] ?? 'unknown'}`} x={index * 4} y="0" width="3" height="20" rx="1" />
        ))}
      </svg>
      <div class="hour-ends" aria-hidden="true">
        <span>1 h ago</span>
        <span>{label.replace('Last hour: ', '')}</span>
        <span>now</span>
      </div>
    </div>
  );
}

function inWords(bars: readonly string[]): string {
  const known = bars.filter((bar) => bar !== 'n').length;
  const broken = bars.filter((bar) => bar === 'd' || bar === 'g').length;
  if (known === 0) return 'nothing known yet';
  const failures = broken === 0 ? 'no failure' : `${plural(broken, 'minute')} with a failure`;
  return known === BARS ? failures : `${failures}, ${plural(known, 'minute')} known`;
}

/** One letter for each minute, oldest first; n for a minute without samples. */
function barsOf(states: string): string[] {
  const perBar = 240 / BARS;
  const padded = states.padStart(240, 'n');
  return Array.from({ length: BARS }, (_, index) => {
    const minute = padded.slice(index * perBar, (index + 1) * perBar);
    return [...WORST].find((letter) => minute.includes(letter)) ?? 'n';
  });
}

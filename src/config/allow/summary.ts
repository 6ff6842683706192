import type { AllowRule } from './rule.ts';

/** Longer lists are cut: the text stands in one column of a table. */
const LONGEST = 60;

/** What `/status` shows as the target of a dynamic tunnel: `allow 10.43.0.0/16:443, *.example.org:80-90, …`. */
export function summarizeAllow(rules: readonly AllowRule[]): string {
  let summary = 'allow';
  for (const [index, { text }] of rules.entries()) {
    const next = index === 0 ? `${summary} ${text}` : `${summary}, ${text}`;
    if (index > 0 && next.length > LONGEST) return `${summary}, …`;
    summary = next;
  }
  return summary;
}

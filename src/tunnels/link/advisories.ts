import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { LinkStatus } from '../../telemetry/status/status.ts';

/** Links that serve although no new session can be made: the loss of the present sessions will be an outage. Pure. */
export function failingReplacements(links: readonly LinkStatus[]): LinkStatus[] {
  return links.filter(({ state, replacement }) => state === 'up' && replacement?.state === 'failing');
}

/** One line on a link of {@link failingReplacements}: since when, how often, and why. Pure. */
export function replacementText({ host, actor, replacement }: LinkStatus): string {
  if (!replacement) return `all SSH sessions of ${actor} to ${host} are up`;
  const { since, attempts, last_error: error } = replacement;
  const tried = attempts === 0 ? '' : attempts === 1 ? ' (1 attempt failed)' : ` (${attempts} attempts failed)`;
  const why = error ? `: ${error.message} [${error.code}]` : '';
  const when = since.toISOString().replace(/\.\d+Z$/, 'Z');
  return `SSH sessions of ${actor} to ${host} cannot be replaced since ${when}${tried}${why}`;
}

/** Pure. */
export function replacementAdvisories(links: readonly LinkStatus[]): Advisory[] {
  return failingReplacements(links).map((link) => ({
    code: 'session_replacement_failing',
    message: `${replacementText(link)}. Fix: ${link.replacement?.last_error?.hint ?? 'see `fleet-mesh status`.'}`,
    // Not the code: a link that fails in turns for two reasons would fill the log. The link logs each new reason itself.
    subject: `${link.actor}@${link.host}`,
  }));
}

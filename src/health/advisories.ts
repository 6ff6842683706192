import type { Advisory } from './advisory.ts';
import type { LinkStatus } from './status.ts';

/** What an operator should know of static keys that stand in for certificates (SPEC section 3, "Credentials"). Pure. */
export function staticKeyAdvisories(links: readonly LinkStatus[]): Advisory[] {
  const inUse = links.flatMap(({ host, actor, degraded }) =>
    degraded === null
      ? []
      : [{ code: 'static_key_in_use' as const, message: `${actor} goes to ${host} by its ${degraded}` }],
  );
  const removable = new Map(
    links.flatMap(({ actor, credential: { static_key } }) =>
      static_key?.removable ? [[actor, `${actor}: ${static_key.verdict}`] as const] : [],
    ),
  );
  return [...inUse, ...[...removable.values()].map((message) => ({ code: 'static_key_removable' as const, message }))];
}

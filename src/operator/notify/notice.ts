import type { NoticeKind } from '../../config/config.ts';

/** A change that a webhook is told about. The shape is public: changes are additive. */
export interface Notice {
  readonly schema: 1;
  readonly event: NoticeKind;
  readonly node: string;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Null unless the event is about a tunnel. */
  readonly tunnel: string | null;
  /** The new state; `raised` or `cleared` for an advisory. */
  readonly state: string;
  /** The error code of a tunnel that is not up, or the code of the advisory; null without one. */
  readonly code: string | null;
  /** One sentence for people. */
  readonly text: string;
}

/**
 * The body for a notice: the notice as JSON, or the template with its fields. A field is written as in a JSON string, so a
 * foreign text cannot leave the string of the template.
 */
export function bodyOf(notice: Notice, template: string | undefined): string {
  if (template === undefined) return `${JSON.stringify(notice)}\n`;
  const fields = new Map<string, unknown>(Object.entries(notice));
  return template.replace(/\{(\w+)\}/g, (written, name: string) =>
    fields.has(name) ? JSON.stringify(String(fields.get(name) ?? '')).slice(1, -1) : written,
  );
}

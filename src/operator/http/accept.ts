/** Whether an Accept header ranks plain text above JSON (RFC 9110 section 12.5.1). Ties, and no header, mean JSON. */
export function prefersText(accept: string | undefined): boolean {
  return prefersOverJson(accept, 'text', 'plain');
}

/** The same for a page. Only a browser names text/html: a client that accepts any text wants the table. */
export function prefersPage(accept: string | undefined): boolean {
  return /\btext\/html\b/i.test(accept ?? '') && prefersOverJson(accept, 'text', 'html');
}

/** The same for an event stream. A client that accepts any type gets JSON. */
export function prefersEvents(accept: string | undefined): boolean {
  return prefersOverJson(accept, 'text', 'event-stream');
}

function prefersOverJson(accept: string | undefined, type: string, subtype: string): boolean {
  if (accept === undefined) return false;
  const ranges = accept.split(',').map(parseRange);
  return quality(ranges, type, subtype) > quality(ranges, 'application', 'json');
}

interface Range {
  readonly type: string;
  readonly weight: number;
}

function parseRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  const parsed = weight === undefined ? 1 : Number(weight.slice(2));
  return { type, weight: parsed >= 0 && parsed <= 1 ? parsed : 0 };
}

/** The most specific range that matches decides. */
function quality(ranges: readonly Range[], type: string, subtype: string): number {
  for (const pattern of [`${type}/${subtype}`, `${type}/*`, '*/*']) {
    const range = ranges.find((candidate) => candidate.type === pattern);
    if (range !== undefined) return range.weight;
  }
  return 0;
}

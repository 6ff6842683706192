import { z } from 'zod';

/**
 * What the checks across fields look at. Every part that is not even of the right type is left out (the schema reports
 * it), so that one mistake never hides another: all problems are listed at once.
 */
const text = z.string().optional().catch(undefined);

const probe = z
  .object({
    http: z.unknown().optional(),
    tcp: z.unknown().optional(),
    banner: z.unknown().optional(),
    every: text,
    timeout: text,
  })
  .optional()
  .catch(undefined);

const host = z.object({
  user: z.unknown().optional(),
  known_hosts: text,
  jump: z
    .union([z.string().transform((name) => ({ host: name, actor: undefined })), z.object({ host: text, actor: text })])
    .optional()
    .catch(undefined),
});

const actor = z.object({
  key: text,
  passphrase_file: text,
  cert_command: z.unknown().optional(),
  cert_timeout: z.unknown().optional(),
  fallback: z.object({ key: text }).optional().catch(undefined),
});

const tunnel = z.object({
  host: text,
  actor: text,
  // What goes with a direction that there is not, nobody can say.
  direction: z.enum(['local', 'remote', 'dynamic', 'mistaken']).optional().catch('mistaken'),
  listen: text,
  target: z.unknown().optional(),
  allow: z.unknown().optional(),
  while_down: z.unknown().optional(),
  probe,
  drain: z
    .object({ successor: z.object({ probe }).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** Names and what belongs to them; a body that is no mapping is an empty one. */
function named<Body extends z.ZodType>(body: Body) {
  return z
    .record(z.string(), z.union([body, z.unknown().transform(() => undefined)]))
    .optional()
    .catch(undefined);
}

const outlineSchema = z
  .object({
    node: text,
    endpoint: z
      .object({ listen: text, allow_remote: z.boolean().optional().catch(undefined) })
      .optional()
      .catch(undefined),
    control: z.object({ socket: text }).optional().catch(undefined),
    state_dir: text,
    plan: text,
    hosts: named(host),
    actors: named(actor),
    tunnels: named(tunnel),
  })
  .catch({});

export type Outline = z.infer<typeof outlineSchema>;

export type OutlineHost = z.infer<typeof host>;

export type OutlineActor = z.infer<typeof actor>;

export type OutlineTunnel = z.infer<typeof tunnel>;

export type OutlineProbe = z.infer<typeof probe>;

/** The outline of any plain value; never fails. */
export function outlineOf(data: unknown): Outline {
  return outlineSchema.parse(data);
}

/** The entries of a named section whose bodies are mappings. */
export function bodies<Body>(section: Record<string, Body | undefined> | undefined): [string, Body][] {
  return Object.entries(section ?? {}).flatMap(([name, body]) => (body === undefined ? [] : [[name, body]]));
}

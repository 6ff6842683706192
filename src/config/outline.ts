import { z } from 'zod';

/**
 * The input of the checks across fields. Parts of a wrong type are left out, because the schema reports them. So one
 * mistake never hides another, and all problems are listed at once.
 */
const text = z.string().optional().catch(undefined);

const probe = z
  .object({
    http: z.unknown().optional(),
    https: z.union([z.object({ ca: text }), z.unknown().transform(() => ({ ca: undefined }))]).optional(),
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
  // No key can be checked against an invalid direction.
  direction: z.enum(['local', 'remote', 'dynamic', 'mistaken']).optional().catch('mistaken'),
  listen: text,
  allow_remote: z.boolean().optional().catch(undefined),
  target: z.unknown().optional(),
  allow: z.unknown().optional(),
  while_down: z.unknown().optional(),
  probe,
  drain: z
    .object({ successor: z.object({ probe, target: text }).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** A section of named entries. An entry that is no mapping becomes undefined. */
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
    notify: z
      .array(z.object({ secret_file: text }).catch({}))
      .optional()
      .catch(undefined),
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

import { z } from 'zod';
import { wants } from './expectation.ts';
import { actor } from './schema/actor.ts';
import { host } from './schema/host.ts';
import { webhook } from './schema/notify.ts';
import { duration, flag, mapping, named, path, tcpAddress, text, word } from './schema/scalars.ts';
import { tunnel } from './schema/tunnel.ts';

/** The default of `endpoint.listen`. */
export const DEFAULT_ENDPOINT = '127.0.0.1:9780';

/**
 * The tunnel YAML: types, bounds and defaults of single fields. Checks across fields are in check/.
 * The descriptions are public: editors show them from the JSON Schema.
 */
export const configSchema = mapping({
  version: z.literal(1, { error: wants('1') }).describe('Version of this file format: 1.'),
  node: text('the name of a host', 63).describe('The host that this daemon runs on: a name under hosts.'),
  endpoint: mapping({
    listen: tcpAddress
      .prefault(DEFAULT_ENDPOINT)
      .describe('Listen address, host:port. Loopback only, unless allow_remote is true. Default 127.0.0.1:9780.'),
    allow_remote: flag.prefault(false).describe('Allows a listen address other than loopback. Default false.'),
  })
    .prefault({})
    .describe('The read-only HTTP endpoint: status, health, metrics.'),
  control: mapping({
    socket: path.describe('Path of the Unix socket.'),
  })
    .optional()
    .describe(
      'The socket for commands to the daemon. Default $RUNTIME_DIRECTORY/control.sock, else $XDG_RUNTIME_DIR/fleet-mesh/control.sock, else control.sock in state_dir.',
    ),
  state_dir: path
    .optional()
    .describe(
      'Directory for files that survive a restart. Other users must not have write permission. A change needs a restart. Default $STATE_DIRECTORY, else ~/.local/state/fleet-mesh.',
    ),
  plan: path.optional().describe('The drain plan, a YAML file. Default: none.'),
  notify: z
    .array(webhook, { error: wants('a list of webhooks') })
    .max(16, { error: wants('at most 16 webhooks') })
    .prefault([])
    .describe('Webhooks that are told about changes. Default: none.'),
  stop_grace: duration(0, 3_600_000)
    .prefault('10s')
    .describe('Time for open connections to finish after SIGTERM. Default 10s.'),
  log: mapping({
    level: word(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
      .prefault('info')
      .describe('Lowest level in the log: trace, debug, info, warn, error or fatal. Default info.'),
    format: word(['auto', 'json', 'text'])
      .prefault('auto')
      .describe('json, text for people, or auto: text on a terminal, else json. Default auto.'),
  })
    .prefault({})
    .describe('The log, on standard error.'),
  hosts: named(host).describe('The machines of the fleet, by name.'),
  actors: named(actor).prefault({}).describe('Our SSH identities, by name.'),
  tunnels: named(tunnel)
    .optional()
    .describe('The tunnels, by name. A reload that removes all tunnels needs `tunnels: {}`.'),
});

export type ParsedConfig = z.infer<typeof configSchema>;

/** JSON Schema (draft 2020-12) of the file as written, before defaults. */
export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  return {
    ...z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' }),
    title: 'fleet-mesh tunnels',
    description: 'Configuration of fleet-mesh on one node.',
  };
}

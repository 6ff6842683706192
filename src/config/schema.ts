import { z } from 'zod';
import { wants } from './expectation.ts';
import { actor } from './schema/actor.ts';
import { host } from './schema/host.ts';
import { duration, flag, mapping, named, path, tcpAddress, text, word } from './schema/scalars.ts';
import { tunnel } from './schema/tunnel.ts';

/**
 * The tunnel YAML (SPEC section 2): types, bounds and defaults of every single field. What concerns several fields at
 * once is in check/. The descriptions are public: they are the JSON Schema that editors complete from.
 */
export const configSchema = mapping({
  version: z.literal(1, { error: wants('1') }).describe('Version of this file format: 1.'),
  node: text('the name of a host', 63).describe('The machine that this daemon runs on: one of hosts.'),
  endpoint: mapping({
    listen: tcpAddress
      .prefault('127.0.0.1:9780')
      .describe('Where it listens, host:port. Loopback only unless allow_remote. Default 127.0.0.1:9780.'),
    allow_remote: flag
      .prefault(false)
      .describe('Whether it may listen on another address than loopback. Default false.'),
  })
    .prefault({})
    .describe('The read-only HTTP endpoint: status, health, metrics.'),
  control: mapping({
    socket: path.describe('Path of the unix socket.'),
  })
    .optional()
    .describe(
      'Where commands reach the daemon. Default $RUNTIME_DIRECTORY/control.sock, else $XDG_RUNTIME_DIR/fleet-mesh/control.sock.',
    ),
  state_dir: path
    .optional()
    .describe(
      'Directory of what has to survive a restart; nobody else may write there. Default $STATE_DIRECTORY, else ~/.local/state/fleet-mesh.',
    ),
  plan: path.optional().describe('The drain plan, a YAML file. Default: none.'),
  stop_grace: duration(0, 3_600_000)
    .prefault('10s')
    .describe('On SIGTERM: how long open connections may finish. Default 10s.'),
  log: mapping({
    level: word(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
      .prefault('info')
      .describe('Least severe level that is logged: trace, debug, info, warn, error or fatal. Default info.'),
  })
    .prefault({})
    .describe('The log, on standard error.'),
  hosts: named(host).describe('The machines of the fleet, by name.'),
  actors: named(actor).prefault({}).describe('Our SSH identities, by name.'),
  tunnels: named(tunnel).prefault({}).describe('The tunnels, by name.'),
});

export type ParsedConfig = z.infer<typeof configSchema>;

/** JSON Schema (draft 2020-12) of the file as it is written, that is before defaults. */
export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  return {
    ...z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' }),
    title: 'fleet-mesh tunnels',
    description: 'Configuration of fleet-mesh on one node.',
  };
}

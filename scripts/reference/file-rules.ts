/** Rules for the whole configuration file, in paragraphs. Code is in backticks. */
export const FILE_RULES: readonly string[] = [
  'The file is strict: an unknown key, a wrong type or a name that is not defined is an error with file, line and ' +
    'column. `fleet-mesh check` lists all errors at once. `fleet-mesh schema config` prints the JSON Schema.',
  'A duration is a whole number and a unit: `500ms`, `10s`, `5m`, `24h`, `7d`. An address is `host:port`, ' +
    '`[IPv6]:port` or `unix:/path`. In a path, `~` is the home of the daemon user. A relative path is relative to ' +
    'this file. `credential:NAME` is a file from systemd (`LoadCredential=`).',
  'Names of hosts, actors and tunnels consist of `a-z`, `0-9`, `.`, `_` and `-`, and are at most 63 characters long. ' +
    'In this reference, `NAME` is such a name, and `[]` is each item of a list.',
];

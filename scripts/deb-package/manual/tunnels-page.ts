import { FILE_RULES } from '../../reference/file-rules.ts';
import { type Field, fieldsOf, type SchemaNode } from '../../reference/schema-fields.ts';
import { bold, entry, italic, page, prose, section, subsection, verbatim } from './roff.ts';

/** A complete file; a test loads this text. */
export const EXAMPLE = `version: 1
node: node-a
hosts:
  node-a: { address: 192.0.2.1, role: production }
  node-b:
    address: node-b.example.net
    user: fleet
    known_hosts: /etc/fleet-mesh/known_hosts
actors:
  atm-tunnels: { key: credential:key_id }
tunnels:
  api:
    host: node-b
    actor: atm-tunnels
    listen: 127.0.0.1:18000
    target: 10.0.0.5:8000
    production: true
    probe: { http: { path: /health, json: { status: ok } }, every: 10s }
`;

/** fleet-mesh-tunnels(5), generated from the schema of the configuration. */
export function tunnelsPage(schema: SchemaNode, version: string, date: string): string {
  const fields = fieldsOf(schema);
  const groups = Object.keys(schema.properties ?? {});
  return page({ name: 'fleet-mesh-tunnels', section: 5, date, version, manual: 'File Formats' }, [
    section('Name', `fleet\\-mesh\\-tunnels \\- ${prose('configuration of fleet-mesh on one node')}`),
    section('Synopsis', italic('/etc/fleet-mesh/tunnels.yaml'), '.br', italic('~/.config/fleet-mesh/tunnels.yaml')),
    section('Description', FILE_RULES.map(prose).join('\n.PP\n')),
    section('Fields', ...groups.map((group) => groupOf(group, fields))),
    section('Example', verbatim(EXAMPLE)),
    section(
      'Files',
      entry(italic('/etc/fleet-mesh/example-tunnels.yaml'), prose('Every field with its default, explained.')),
    ),
    section('See also', prose('fleet-mesh(1), ssh_config(5), sshd_config(5)')),
  ]);
}

function groupOf(group: string, fields: readonly Field[]): string {
  return subsection(group, ...fields.filter(({ path }) => path[0] === group).map(fieldEntry));
}

function fieldEntry({ path, type, description, isRequired }: Field): string {
  const notes = isRequired ? ['Required.'] : [];
  return entry(
    `${bold(path.join('.').replaceAll('.[]', '[]'))} (${prose(type)})`,
    prose([description, ...notes].join(' ')),
  );
}

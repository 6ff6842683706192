import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generateKey } from '../../support/certificates/keys.ts';
import { requireProgram } from '../../support/machine/find-program.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { Box, CHECKOUT_INSIDE, type Outcome } from '../box/box.ts';

/** A machine of the runbook. */
export type Place = 'workstation' | 'node-1';

/** Names and addresses of the runbook, all in the box's own network. */
const HOSTS = {
  'node-1': '10.0.0.1',
  'old-host': '10.0.0.2',
  workstation: '10.0.0.3',
  'app-hub-bridge': '10.42.0.11',
  'app-issues-bridge': '10.42.0.12',
  'issues.app.svc': '10.42.0.20',
} as const;
/** The services on old-host have addresses, no names. */
const SERVICES = ['10.43.0.11', '10.43.0.12'];

const OPERATOR_HOME = '/home/alex';
const MESH = { name: 'mesh', id: 4242, home: '/home/mesh' } as const;
const FLEET = { name: 'fleet', id: 4243, home: '/home/fleet' } as const;

/**
 * The fleet of docs/runbook.md in one box, before the first step. Users and addresses separate the machines: the operator on the
 * workstation, `mesh` on node-1, `fleet` on old-host. The network is the box's own, so every command runs as printed.
 */
export class RunbookFleet implements AsyncDisposable {
  readonly box: Box;
  readonly #temp: TempDir;

  private constructor(box: Box, temp: TempDir) {
    this.box = box;
    this.#temp = temp;
  }

  static async boot(): Promise<RunbookFleet> {
    const temp = tempDir('runbook');
    const fleet = new RunbookFleet(await Box.boot(false, 'own'), temp);
    try {
      await fleet.#prepare();
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a block of commands as a person logged in there would. Ends at the first command that fails. */
  async run(place: Place, commands: string): Promise<Outcome> {
    this.box.write('/run/runbook/block', `set -euo pipefail\n${commands}`, 0o644);
    const shell = ['bash', '--login', '/run/runbook/block'];
    if (place === 'workstation') {
      const env = [`HOME=${OPERATOR_HOME}`, `PATH=${OPERATOR_HOME}/bin:/usr/local/bin:/usr/bin:/bin`];
      return this.box.run('env', '-C', OPERATOR_HOME, ...env, 'bash', '/run/runbook/block');
    }
    const { id, home } = MESH;
    const user = ['setpriv', '--reuid', `${id}`, '--regid', `${id}`, '--init-groups'];
    return this.box.run(...user, 'env', '-C', home, `HOME=${home}`, `XDG_RUNTIME_DIR=/run/user/${id}`, ...shell);
  }

  /** The workstation is switched off: its address has no machine any more. */
  async switchOffWorkstation(): Promise<void> {
    await this.box.must('ip', 'address', 'del', `${HOSTS.workstation}/32`, 'dev', 'lo');
    await this.box.must('ip', 'route', 'add', 'unreachable', HOSTS.workstation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.box[Symbol.asyncDispose]();
    this.#temp[Symbol.dispose]();
  }

  async #prepare(): Promise<void> {
    const { box } = this;
    const names = Object.entries(HOSTS).map(([name, address]) => `${address} ${name}\n`);
    box.write('/etc/hosts', `127.0.0.1 localhost\n${names.join('')}`);
    const addresses = [...Object.values(HOSTS), ...SERVICES].map((each) => `ip address add ${each}/32 dev lo`);
    await box.must('sh', '-ec', addresses.join('\n'));
    await this.#addUsers();
    await this.#startSshds();
    this.#equipWorkstation();
    this.#equipCluster();
    const tsx = fileURLToPath(new URL('../../../node_modules/tsx/dist/esm/index.mjs', import.meta.url));
    const loader = tsx.replace(fileURLToPath(new URL('../../../', import.meta.url)), CHECKOUT_INSIDE);
    await box.must(
      'systemd-run',
      '--unit=services',
      ...['node', '--import', loader, `${CHECKOUT_INSIDE}tests/system/runbook/services.ts`],
    );
    await this.#startOldTunnels();
  }

  async #addUsers(): Promise<void> {
    const add = ({ name, id, home }: typeof MESH | typeof FLEET) =>
      `useradd --create-home --home-dir ${home} --uid ${id} --user-group --shell /bin/bash --password '*' ${name}`;
    await this.box.must('sh', '-ec', [add(MESH), add(FLEET), `mkdir -p ${OPERATOR_HOME}`].join('\n'));
  }

  /** Two machines that ssh reaches. Keys: the operator's for node-1 and for root, and the fleet's for old-host. */
  async #startSshds(): Promise<void> {
    const { box } = this;
    const key = (name: string) => {
      const { path, publicKey } = generateKey(`${this.#temp.path}/${name}`);
      return { publicKey, text: readFileSync(path, 'utf8') };
    };
    const [host, operator, fleet, ca] = [key('host'), key('operator'), key('id_fleet'), key('user_ca')];
    const known = `node-1,old-host ${host.publicKey}\n`;
    box.write('/etc/ssh/runbook_host', host.text, 0o600);
    box.write(`${OPERATOR_HOME}/.ssh/id_ed25519`, operator.text, 0o600);
    box.write(`${MESH.home}/.ssh/authorized_keys`, `${operator.publicKey}\n`, 0o600);
    box.write('/root/.ssh/authorized_keys', `${operator.publicKey}\n`, 0o600);
    box.write(`${MESH.home}/.ssh/id_fleet`, fleet.text, 0o600);
    box.write(`${FLEET.home}/.ssh/authorized_keys`, `${fleet.publicKey} id_fleet\n`, 0o600);
    box.write(`${MESH.home}/.ssh/known_hosts`, known);
    box.write(`${OPERATOR_HOME}/.ssh/known_hosts`, known);
    box.write('/etc/ssh/user_ca.pub', `${ca.publicKey}\n`);
    box.write('/etc/ssh/principals/fleet', '');
    // The client of the CA. The CA's key is elsewhere in a real fleet.
    box.write(
      '/usr/local/bin/sign-cert',
      '#!/bin/sh\nexec ssh-keygen -q -s ~/.ca/user_ca -I "$1" -n "$1" -z "$(date +%s%N)" -V -1m:+1h "$2"\n',
      0o755,
    );
    box.write(`${MESH.home}/.ca/user_ca`, ca.text, 0o600);
    const common = [
      'Port 22',
      'HostKey /etc/ssh/runbook_host',
      'UsePAM no',
      'PidFile none',
      'Subsystem sftp internal-sftp',
    ];
    const certificates = ['TrustedUserCAKeys /etc/ssh/user_ca.pub', 'AuthorizedPrincipalsFile /etc/ssh/principals/%u'];
    const config = (address: string, more: readonly string[]) =>
      `${[`ListenAddress ${address}`, ...common, ...more].join('\n')}\n`;
    box.write('/etc/ssh/sshd_config_node_1', config(HOSTS['node-1'], []));
    box.write('/etc/ssh/sshd_config', config(HOSTS['old-host'], certificates));
    await box.must('chown', '-R', `${MESH.id}:${MESH.id}`, MESH.home);
    await box.must('chown', '-R', `${FLEET.id}:${FLEET.id}`, FLEET.home);
    await box.must('mkdir', '-p', '/run/sshd');
    for (const file of ['sshd_config', 'sshd_config_node_1'])
      await box.must('systemd-run', `--unit=${file}`, requireProgram('sshd'), '-D', '-f', `/etc/ssh/${file}`);
  }

  /** The tools of the operator: ssh, ops-bridge, a checkout of fleet-mesh. */
  #equipWorkstation(): void {
    const { box } = this;
    const tool = (name: string, text: string) => box.write(`${OPERATOR_HOME}/${name}`, `#!/bin/bash\n${text}`, 0o755);
    box.write(`${OPERATOR_HOME}/.ssh/config`, 'Host node-1\n  User mesh\nHost *\n  BatchMode yes\n');
    // As root in the box, OpenSSH reads the home directory of root.
    const own = `-F ${OPERATOR_HOME}/.ssh/config -i ${OPERATOR_HOME}/.ssh/id_ed25519 -o UserKnownHostsFile=${OPERATOR_HOME}/.ssh/known_hosts`;
    for (const name of ['ssh', 'scp']) tool(`bin/${name}`, `exec /usr/bin/${name} ${own} "$@"\n`);
    tool(
      'bin/bridge',
      `[[ $1 == up ]] || exec systemctl stop "bridge-$2"
exec systemd-run --quiet --unit="bridge-$2" ${OPERATOR_HOME}/bin/ssh -N -o ExitOnForwardFailure=yes -R 127.0.0.1:18000:10.43.0.11:8000 node-1
`,
    );
    tool('bin/fleet-mesh', `exec node ${CHECKOUT_INSIDE}dist/cli.js "$@"\n`);
    // Not the script itself, which would rebuild the program during other tests.
    tool(
      'fleet-mesh/scripts/install-node',
      `export FLEET_MESH_CALLED_FROM=$PWD
cd ${CHECKOUT_INSIDE}
exec node --import tsx scripts/install-node-run/main.ts "$@"
`,
    );
  }

  /** kubectl as far as the runbook needs it: the pods are addresses of the box. */
  #equipCluster(): void {
    this.box.write(
      '/usr/local/bin/kubectl',
      `#!/bin/bash
case "$*" in
  *' get pods '*)
    for each in app-hub-bridge:8000/state/health app-issues-bridge:8765/healthz; do
      curl -sf -o /dev/null "http://$each" && ready=1/1 || ready=0/1
      echo "\${each%%:*}-0   $ready   Running   0   3d"
    done ;;
  *' exec '*) until [[ $1 == -- ]]; do shift; done; shift; exec "$@" ;;
  *' set env '*) echo "$5 env updated" ;;
  *) echo "kubectl: unknown command" >&2; exit 1 ;;
esac
`,
      0o755,
    );
  }

  /** One port is held by a tunnel of the workstation, the other one by an ssh unit on node-1. */
  async #startOldTunnels(): Promise<void> {
    const { box } = this;
    box.write(
      `${MESH.home}/.config/systemd/user/fleet-issues.service`,
      `[Unit]
Description=ssh tunnel to issue-core on old-host

[Service]
ExecStart=/usr/bin/ssh -N -o ExitOnForwardFailure=yes -o BatchMode=yes -i %h/.ssh/id_fleet -L 127.0.0.1:18765:10.43.0.12:8765 fleet@old-host
Restart=always
RestartSec=1

[Install]
WantedBy=default.target
`,
    );
    await box.must('chown', '-R', `${MESH.id}:${MESH.id}`, MESH.home);
    await box.must('systemctl', 'start', `user@${MESH.id}`);
    const unit = await this.run('node-1', 'systemctl --user enable --now fleet-issues');
    if (unit.code !== 0) throw new Error(unit.stderr);
    const serves = async (url: string) => (await box.run('curl', '-sf', '-o', '/dev/null', url)).code === 0;
    await waitUntil(
      'node-1 lets the operator in',
      async () => (await this.run('workstation', 'ssh node-1 true')).code === 0,
    );
    await this.run('workstation', 'bridge up hub-node-1');
    await waitUntil('the old tunnels serve', async () => {
      return (
        (await serves('http://app-hub-bridge:8000/state/health')) &&
        (await serves('http://app-issues-bridge:8765/healthz'))
      );
    });
  }
}

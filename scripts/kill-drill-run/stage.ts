import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../tests/support/daemon/daemon.ts';
import { controlSocketIn, stateDirIn, writeFleetConfig } from '../../tests/support/fakes/fleet-config.ts';
import { planYaml, wave } from '../../tests/support/fakes/plan-fixture.ts';
import { Mark } from '../../tests/support/machine/left-behind.ts';
import { type Hub, startHub } from '../../tests/support/peers/hub.ts';
import { freePort } from '../../tests/support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../tests/support/peers/real-sshd.ts';

/** The tunnel that goes out of service, and one that comes and goes with reloads. */
export const HUB = 'hub';
export const QUIET_MS = 2_000;

/** What the configuration file says about the other tunnel. */
export type Variant = 'as is' | 'without the other tunnel' | 'with its target moved';
export const VARIANTS: readonly Variant[] = ['as is', 'without the other tunnel', 'with its target moved'];

/** Gates and steps for each kill, which `plan approve` and `plan done` record: none is needed for the retirement. */
const RECORDS_PER_KILL = 8;
/** Each start of the daemon reads the plan. */
const MOST_RECORDS = 400;

/** A real sshd, the service behind the tunnel and its successor, and the files of one daemon. */
export class Stage implements AsyncDisposable {
  readonly #sshd: Sshd;
  /** The service behind the tunnel. Its answers name it, so a client knows the way that it went. */
  readonly old: Hub;
  readonly successor: Hub;
  readonly mark = new Mark();
  readonly port: number;
  readonly #endpointPort: number;
  readonly #otherPort: number;

  private constructor(kills: number, sshd: Sshd, hubs: readonly [Hub, Hub], ports: readonly [number, number, number]) {
    this.#sshd = sshd;
    [this.old, this.successor] = hubs;
    [this.port, this.#endpointPort, this.#otherPort] = ports;
    this.writeConfig('as is');
    const records = Math.min(MOST_RECORDS, kills * RECORDS_PER_KILL);
    const gates = Array.from({ length: records }, (_, index) => ({
      id: `g${index}`,
      title: `gate ${index}`,
      owner: 'operator',
      blocks: [`2.${index + 1}`],
    }));
    writeFileSync(this.planFile, planYaml({ gates, waves: [wave(1, [], 1), wave(2, [1], records)] }));
  }

  /** @param kills how many kills the drill makes */
  static async open(kills: number): Promise<Stage> {
    const [sshd, old, successor] = await Promise.all([startSshd(), startHub('old'), startHub('new')]);
    return new Stage(kills, sshd, [old, successor], [await freePort(), await freePort(), await freePort()]);
  }

  get stateDir(): string {
    return stateDirIn(this.#sshd.directory, this.#endpointPort);
  }

  get socket(): string {
    return controlSocketIn(this.#sshd.directory, this.#endpointPort);
  }

  get configFile(): string {
    return join(this.#sshd.directory, 'railiance01-tunnels.yaml');
  }

  get planFile(): string {
    return join(this.#sshd.directory, 'plan.yaml');
  }

  writeConfig(variant: Variant): void {
    const { port, user, knownHostsFile, clientKeyFile, directory } = this.#sshd;
    const target = `127.0.0.1:${this.old.port}`;
    const moved = `127.0.0.1:${this.successor.port}`;
    const other = {
      target: variant === 'with its target moved' ? moved : target,
      listen: `127.0.0.1:${this.#otherPort}`,
    };
    writeFleetConfig(directory, {
      endpointPort: this.#endpointPort,
      host: { port, user, known_hosts: knownHostsFile, sessions: 1 },
      actor: { key: clientKeyFile },
      extra: { plan: 'plan.yaml', stop_grace: '500ms' },
      tunnels: {
        [HUB]: {
          target,
          listen: `127.0.0.1:${this.port}`,
          drain: {
            step: '1.1',
            quiet_for: `${QUIET_MS}ms`,
            rollback: `fleet-mesh rollback ${HUB}`,
            successor: {
              target: moved,
              probe: { http: { path: '/state/health' }, every: '500ms', timeout: '500ms', rise: 1 },
              healthy_for: '1s',
              hold: '1s',
              verify_for: '1s',
            },
          },
        },
        ...(variant !== 'without the other tunnel' && { other }),
      },
    });
  }

  startDaemon(): Daemon {
    const { configFile } = this;
    return startDaemon({ configFile, endpointPort: this.#endpointPort, env: this.mark.env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.old.stop(), this.successor.stop()]);
    await this.#sshd[Symbol.asyncDispose]();
  }
}

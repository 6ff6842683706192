import type { Advisory } from '../../telemetry/status/advisory.ts';

/** A tunnel that an operator took out of service. */
export interface StoppedTunnel {
  readonly name: string;
  readonly production: boolean;
  readonly since: Date;
}

/** One advisory for each production tunnel that an operator took out of service. Pure. */
export function stoppedAdvisories(stopped: readonly StoppedTunnel[]): Advisory[] {
  return stopped
    .filter(({ production }) => production)
    .map(({ name, since }) => ({
      code: 'production_stopped',
      message:
        `production tunnel ${name} is out of service by an operator since ${since.toISOString().replace(/\.\d+Z$/, 'Z')}; ` +
        `to start again: \`fleet-mesh up ${name}\``,
    }));
}

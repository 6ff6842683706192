import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { isAlive, nameOf } from './proc.ts';

/** Marks processes by their environment. Children inherit the mark, so orphans are found too. Needs /proc. */
export class Mark {
  readonly env = { FLEET_MESH_TEST_MARK: randomUUID() };

  /** The live processes, as `name (pid)`. */
  living(): string[] {
    const mark = `FLEET_MESH_TEST_MARK=${this.env.FLEET_MESH_TEST_MARK}`;
    return readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid) && environOf(pid).includes(mark) && isAlive(Number(pid)))
      .map((pid) => `${nameOf(Number(pid))} (${pid})`);
  }
}

function environOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { errnoOf } from '../../src/base/errors.ts';
import { replaceFile } from '../../src/base/files/replace-file.ts';
import { CommandRefused, ControlUnavailable, command } from '../../src/operator/control/client.ts';
import { cutoverResult, reloadResult, retireResult, tunnelsResult } from '../../src/operator/control/protocol.ts';
import { recordIn } from '../../src/retirement/plan/record.ts';
import type { Command, Confirmed } from './confirmed.ts';
import { HUB, type Stage, VARIANTS } from './stage.ts';

const done = z.object({});

export interface OperatorDependencies {
  random(): number;
  /** Whether the tunnel was retirable at the last look. */
  isRetirable(): boolean;
}

/** An operator who gives one command after the other, as soon as the daemon takes any, until `stop` aborts. */
export class Operator {
  readonly #stage: Stage;
  readonly #confirmed: Confirmed;
  readonly #deps: OperatorDependencies;
  /** The command without an answer. */
  current: Command | undefined;
  /** Called when a command begins. */
  onBegin: (command: Command) => void = () => {};
  /** Answers so far, by command. */
  readonly answered = new Map<Command, number>();

  constructor(stage: Stage, confirmed: Confirmed, deps: OperatorDependencies) {
    this.#stage = stage;
    this.#confirmed = confirmed;
    this.#deps = deps;
  }

  async work(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const next = this.#choose();
      const before = { retired: this.#confirmed.retired, route: this.#confirmed.route };
      this.#confirmed.begin(next);
      this.current = next;
      this.onBegin(next);
      try {
        const result = await this.#give(next, stop);
        this.#confirmed.done(next, result);
        this.answered.set(next, (this.answered.get(next) ?? 0) + 1);
        this.current = undefined;
      } catch (error) {
        if (stop.aborted) return;
        this.current = undefined;
        if (isNothingBegun(error)) this.#confirmed.refused(before);
      }
      await pause(this.#deps.random() * 150, undefined, { signal: stop }).catch(() => {});
    }
  }

  #choose(): Command {
    const { retired, route } = this.#confirmed;
    const ways: readonly (readonly [number, Command])[] = [
      [route === 'successor' ? 1 : 8, 'cutover'],
      [this.#deps.isRetirable() ? 20 : 1, 'retire'],
      [route === 'successor' && retired !== true ? 0.7 : 0.3, 'rollback'],
      [retired === true ? 4 : 0.5, 'up'],
      [0.2, 'down'],
      [2, 'reload'],
      [1, 'plan approve'],
      [1, 'plan done'],
    ];
    let at = this.#deps.random() * ways.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, way] of ways) {
      at -= weight;
      if (at < 0) return way;
    }
    return 'retire';
  }

  async #give(what: Command, signal: AbortSignal): Promise<{ outcome?: string; done?: boolean }> {
    const { socket } = this.#stage;
    switch (what) {
      case 'cutover':
        return command(socket, { command: what, name: HUB, dry_run: false }, cutoverResult, signal);
      case 'rollback':
        return command(socket, { command: what, name: HUB }, cutoverResult, signal);
      case 'retire':
        return command(socket, { command: what, name: HUB, dry_run: false, overrides: [] }, retireResult, signal);
      case 'up':
      case 'down':
        return done.parse(await command(socket, { command: what, names: [HUB] }, tunnelsResult, signal));
      case 'reload':
        this.#stage.writeConfig(VARIANTS[Math.floor(this.#deps.random() * VARIANTS.length)] ?? 'as is');
        return done.parse(await command(socket, { command: what }, reloadResult, signal));
      case 'plan approve':
      case 'plan done':
        return this.#record(what === 'plan approve');
    }
  }

  /** As the command does: the next gate is approved, or the step behind an approved gate is done. */
  async #record(approve: boolean): Promise<Record<string, never>> {
    const { planFile } = this.#stage;
    const { recorded } = this.#confirmed;
    const approved = recorded.filter((id) => id.startsWith('g')).length;
    const steps = recorded.length - approved;
    const isApproval = approve || steps >= approved;
    const id = isApproval ? `g${approved}` : `2.${steps + 1}`;
    const before = await readFile(planFile);
    const entry = isApproval
      ? ({ kind: 'approve', gate: id, by: 'drill', evidence: 'drill' } as const)
      : ({ kind: 'done', step: id, evidence: 'drill' } as const);
    const after = recordIn(before, planFile, entry, new Date());
    if ('kind' in after) throw new Error(after.message);
    await replaceFile(planFile, before, Buffer.from(after.text));
    recorded.push(id);
    return {};
  }
}

/** Refused, or nobody was there to take the command. */
function isNothingBegun(error: unknown): boolean {
  if (error instanceof CommandRefused) return true;
  const code = error instanceof ControlUnavailable ? errnoOf(error.cause) : undefined;
  return code === 'ENOENT' || code === 'ECONNREFUSED';
}

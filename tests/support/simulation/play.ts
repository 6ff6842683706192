import { HUB, hubIn, SUCCESSORS } from './fleet.ts';
import { CUTOVER, RETIRE } from './operator.ts';
import { type Deed, describeStep, type Step } from './steps.ts';
import type { World } from './world.ts';

/** Longer than a gap of the watch, in milliseconds. */
const FROZEN_TOO_LONG_MS = 180_000;

/** A machine that was suspended has its link again after this time, in milliseconds. */
const RELINKED_MS = 1_500;

/** Does to the world what the step says, and says so. */
export async function play(world: World, step: Step): Promise<void> {
  world.say(describeStep(step));
  // Notices a changed tunnel before time is lost.
  world.happened();
  await carryOut(world, step);
}

async function carryOut(world: World, deed: Deed): Promise<void> {
  const { clock, network, disk, operator, intruder } = world;
  switch (deed.do) {
    case 'client': {
      const address = hubIn(world.variant)?.listen;
      const client = address === undefined ? undefined : network.connect(address);
      if (!client) return world.say('  refused');
      if (deed.talks) client.send('hello');
      if (deed.talks) clock.after(deed.staysMs / 2, () => client.send('again'));
      clock.after(deed.staysMs, () => client.leave());
      return;
    }
    case 'link':
      if (deed.up) network.link.set(true);
      else network.cutLink();
      world.node.linkChanged();
      return;
    case 'health':
      network.setHealth(SUCCESSORS[deed.of], deed.health);
      return;
    case 'retire':
      operator.send('retire', RETIRE);
      return;
    case 'rollback':
    case 'cutover':
      operator.send(deed.do, deed.do === 'cutover' ? CUTOVER : { command: deed.do, name: HUB });
      return;
    case 'up':
    case 'down':
      operator.send(deed.do, { command: deed.do, names: [HUB] });
      return;
    case 'rotate':
      operator.send('rotate', { command: 'rotate', actor: 'agt-key' });
      return;
    case 'reload':
      world.file = deed.variant;
      operator.send('reload', { command: 'reload' });
      return;
    case 'plan': {
      world.plan[deed.part] = deed.to;
      const { approved, done, valid } = world.plan;
      world.planned.set(approved && done && valid);
      return;
    }
    case 'restart':
      return world.restart(deed.how, deed.downMs, () => {
        if (deed.meanwhile) intruder.tamper(deed.meanwhile);
        if (deed.loses) intruder.lose(deed.loses);
      });
    case 'freeze':
      await clock.freeze(deed.ms);
      world.goesOnSince = clock.now;
      if (deed.ms > FROZEN_TOO_LONG_MS) world.thawedAt = clock.now;
      return;
    case 'clock':
      clock.wallOffMs += deed.ms;
      return;
    case 'suspend':
      // The clock that never jumps stands still meanwhile, and so do the clients of this machine.
      clock.wallOffMs += deed.ms;
      network.cutLink();
      world.node.linkChanged();
      clock.after(RELINKED_MS, () => {
        network.link.set(true);
        world.node.linkChanged();
      });
      return;
    case 'tamper':
      return intruder.tamper(deed.how);
    case 'backup':
      return intruder.backup();
    case 'lose':
      return intruder.lose(deed.file);
    case 'second daemon':
      return world.startSecond();
    case 'disk':
      if (deed.fault === 'none') disk.heal();
      else disk.break(deed.fault);
      return;
  }
}

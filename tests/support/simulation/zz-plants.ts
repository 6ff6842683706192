import { PLANTED, type Planted } from './planted.ts';
import { simulate } from './simulate.ts';
const only = process.argv[2]?.split(',');
for (const name of (only ?? Object.keys(PLANTED)) as Planted[]) {
  const c0 = process.cpuUsage();
  let found = 'NOT FOUND';
  for (let seed = 1; seed <= 300; seed++) {
    const run = await simulate({ seed, bug: PLANTED[name] });
    if (run.broken) { found = `seed ${seed}: ${run.broken.message}`; break; }
  }
  const c = process.cpuUsage(c0);
  console.log(name, found, ((c.user + c.system) / 1e6).toFixed(1), 's cpu');
}

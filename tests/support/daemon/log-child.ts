import { createLogger } from '../../../src/telemetry/log/log.ts';

/** A process that logs `argv[2]` lines at once, reports its survival on stdout, and logs one more line per input. */
const log = createLogger({ level: 'info' });
const filler = 'x'.repeat(900);
for (let number = 0; number < Number(process.argv[2]); number += 1) log.info({ event: 'load', number, filler }, 'load');
process.stdout.write('survived\n');
process.stdin.on('data', () => {
  log.warn({ event: 'after' }, 'after');
  process.stdout.write('answered\n');
});

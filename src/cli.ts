#!/usr/bin/env node
import { holdSignals } from './daemon/early-signals.ts';
import { NAMES_COMMAND, offerNames } from './operator/commands/completion/offer-names.ts';

// Before the program is loaded, which takes a moment: only the daemon handles signals that arrive so early.
if (process.argv[2] === 'run') holdSignals();
if (process.argv[2] === NAMES_COMMAND) {
  const [kind = '', ...words] = process.argv.slice(3);
  process.stdout.on('error', () => {});
  process.stdout.write(await offerNames(kind, words, process.env));
} else {
  const { main } = await import('./program.ts');
  process.exitCode = await main(process.argv);
}

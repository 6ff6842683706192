#!/usr/bin/env node
import { holdSignals } from './daemon/early-signals.ts';

// Before the program is loaded, which takes a moment: only the daemon handles signals that arrive so early.
if (process.argv[2] === 'run') holdSignals();
const { main } = await import('./program.ts');
process.exitCode = await main(process.argv);

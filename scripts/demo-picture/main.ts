import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startLab } from './lab.ts';
import { record } from './story.ts';
import { terminalSvg } from './svg.ts';

const PICTURE = fileURLToPath(new URL('../../docs/images/demo.svg', import.meta.url));

/** The scene that is shown without animation. */
const STILL = 1;

try {
  await using lab = await startLab();
  const svg = terminalSvg('prod-1: fleet-mesh', await record(lab), STILL);
  writeFileSync(PICTURE, svg);
  process.stdout.write(`wrote docs/images/demo.svg (${Math.ceil(svg.length / 1024)} KiB)\n`);
} catch (error) {
  process.stderr.write(`scripts/record-demo: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { BUNDLED_PACKAGES } from '../lib/bundled-packages.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const APP = join(CHECKOUT, 'src/operator/page/app');
const OUT = join(CHECKOUT, 'dist/operator/page/index.html');
/** Makes the status page: one HTML document with its script and styles inside. */
async function main(): Promise<void> {
  const script = await bundle('main.tsx');
  const styles = await bundle('style.css');
  const html = readFileSync(join(APP, 'index.html'), 'utf8')
    .replace('<!-- licences -->', () => `<!--\n${licences()}\n-->`)
    .replace('<!-- styles -->', () => `<style>${styles}</style>`)
    // The end tag in a string of the script would end the script.
    .replace('<!-- script -->', () => `<script>${script.replaceAll('</script', '<\\/script')}</script>`);
  mkdirSync(dirname(OUT), { recursive: true });
  writeFileSync(OUT, html);
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(APP, entry)],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
  });
  return outputFiles[0]?.text.trim() ?? '';
}

function licences(): string {
  const require = createRequire(import.meta.url);
  return BUNDLED_PACKAGES.map((name) => {
    const folder = dirname(require.resolve(`${name}/package.json`));
    return `${name}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}`;
  }).join('\n\n');
}

await main();

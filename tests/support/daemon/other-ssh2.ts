import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const VERSION = /"version": "[^"]+"/;

/** Copies the built program into a directory, beside an ssh2 that calls itself another version. Returns a wrapper for it. */
export function withOtherSsh2(directory: string, version: string): readonly string[] {
  const modules = join(directory, 'node_modules');
  mkdirSync(modules);
  cpSync('dist', join(directory, 'dist'), { recursive: true });
  cpSync('package.json', join(directory, 'package.json'));
  for (const name of readdirSync('node_modules')) {
    if (name === 'ssh2') cpSync(`node_modules/${name}`, join(modules, name), { recursive: true });
    else symlinkSync(resolve('node_modules', name), join(modules, name));
  }
  const manifest = join(modules, 'ssh2/package.json');
  const text = readFileSync(manifest, 'utf8');
  writeFileSync(manifest, text.replace(VERSION, `"version": "${version}"`));
  // The copy in place of the built program, which is the second argument.
  return ['sh', '-c', 'node=$1; shift 2; exec "$node" "$0" "$@"', join(directory, 'dist/cli.js')];
}

import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isLicenseFile } from './copyright.ts';
import type { Dependency } from './dependencies.ts';

/** Top folders of a package that no program loads; deeper, the same names may be part of a library. */
const TOP_FOLDERS =
  /^(?:\..*|test|tests|__tests__|bench|benchmark|benchmarks|example|examples|docs?|coverage|browser|types|integration|scripts|bin)$/;
/** Compiled modules and their sources. */
const NATIVE = /^(?:build|src|binding\.gyp)$/;
/** The status page: the program sends it, and node does not load it. */
const PAGE = 'index.html';
/** Commands of a package, unused here. */
const COMMANDS = /^bin\.m?js$/;
/** Files that node does not read. */
const NOT_RUN =
  /^\.|\.(?:md|markdown|map|ts|cts|mts|flow|c|cc|h|node|gypi?|yml|yaml|sh|html|css|png|tgz|lock|bnf|tap|log|txt)$/i;

/**
 * Installs only files that node loads. The interpreter is the node of the package dependency, whatever is on the PATH.
 */
export function installProgram(checkout: string, into: string, dependencies: readonly Dependency[]): void {
  copy(join(checkout, 'dist'), join(into, 'dist'), (name) => !NOT_RUN.test(name) || name === PAGE);
  const cli = join(into, 'dist/cli.js');
  writeFileSync(cli, readFileSync(cli, 'utf8').replace(/^#!.*/, '#!/usr/bin/node'));
  chmodSync(cli, 0o755);
  copyFileSync(join(checkout, 'package.json'), join(into, 'package.json'));
  for (const { path } of dependencies) installDependency(join(checkout, path), join(into, path));
}

function installDependency(from: string, into: string): void {
  const below = (directory: string, depth: number): void => {
    const entries = readdirSync(join(from, directory), { withFileTypes: true });
    const isNative = entries.some(({ name }) => name === 'binding.gyp');
    for (const entry of entries) {
      const { name } = entry;
      const path = join(directory, name);
      // The lock file lists nested dependencies separately.
      if (name === 'node_modules' || (isNative && NATIVE.test(name))) continue;
      if (entry.isDirectory()) {
        if (depth > 0 || !TOP_FOLDERS.test(name)) below(path, depth + 1);
      } else if (!NOT_RUN.test(name) && !COMMANDS.test(name) && !isLicenseFile(name)) {
        install(join(from, path), join(into, path));
      }
    }
  };
  below('', 0);
}

function copy(from: string, into: string, isWanted: (name: string) => boolean): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) copy(join(from, entry.name), join(into, entry.name), isWanted);
    else if (isWanted(entry.name)) install(join(from, entry.name), join(into, entry.name));
  }
}

/** Copies a file with fixed permissions, whatever the umask. */
export function install(from: string, into: string): void {
  write(into, readFileSync(from));
}

export function write(into: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(into), { recursive: true });
  writeFileSync(into, content);
  chmodSync(into, mode);
}

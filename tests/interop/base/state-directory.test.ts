import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { has } from '../../support/machine/capabilities.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

/** What keeping a certificate comes to in a state directory that `mounts` (sh, `$1` is the directory) has prepared. */
function keepIn(mounts: string): Record<'checked' | 'saved' | 'written' | 'loaded' | 'files', string> {
  const dir = tempDir('mounted');
  onTestFinished(() => dir[Symbol.dispose]());
  const prepare = `set -e
mount -t tmpfs -o size=256k,mode=700 none "$1"
mkdir -p -m 700 "$1/certificates" "$1/certificates/atm"
echo old > "$1/certificates/atm/current.pub"
${mounts}
"$2" --import tsx tests/support/daemon/state-child.ts "$1"
echo
ls -A "$1/certificates/atm" | tr '\\n' ' '`;
  const output = execFileSync(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', prepare, 'sh', dir.path, process.execPath],
    { encoding: 'utf8' },
  );
  const [outcome = '', files = ''] = output.replaceAll(dir.path, 'STATE').split('\n');
  return { ...JSON.parse(outcome), files: files.trim() };
}

const unusable = (path: string, why: string) =>
  expect.stringMatching(`^state_dir_unusable: STATE/certificates/atm${path} .*${why}`);

test.skipIf(!has('mount'))('a read-only state directory is told, and what was kept is still read', () => {
  expect(keepIn('mount -o remount,ro "$1"')).toEqual({
    checked: unusable('/trial', 'the file system is read-only'),
    saved: unusable('/current.pub', 'the file system is read-only'),
    written: unusable('/large', 'the file system is read-only'),
    loaded: 'old\n',
    files: 'current.pub',
  });
});

test.skipIf(!has('mount'))(
  'a full one is found out before a CA is asked; the old file stays, and nothing is left half-written',
  () => {
    expect(keepIn('cat /dev/zero > "$1/filler" 2>/dev/null || true')).toEqual({
      checked: unusable('/trial', 'no space is left'),
      saved: unusable('/current.pub', 'no space is left'),
      written: unusable('/large', 'no space is left'),
      loaded: 'old\n',
      files: 'current.pub',
    });
  },
);

test.skipIf(!has('mount'))('one that fills up half-way through a write keeps what it had', () => {
  expect(keepIn('true')).toEqual({
    checked: 'ok',
    saved: 'ok',
    written: unusable('/large', 'no space is left'),
    loaded: 'new\n',
    files: 'current.pub',
  });
});

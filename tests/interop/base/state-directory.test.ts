import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { has } from '../../support/machine/capabilities.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

/** The outcome of saving a certificate in a state directory that `mounts` has prepared (sh; `$1` is the directory). */
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

test.skipIf(!has('mount'))('reports a read-only state directory and still reads its files', () => {
  expect(keepIn('mount -o remount,ro "$1"')).toEqual({
    checked: unusable('/trial', 'the file system is read-only'),
    saved: unusable('/current.pub', 'the file system is read-only'),
    written: unusable('/large', 'the file system is read-only'),
    loaded: 'old\n',
    files: 'current.pub',
  });
});

test.skipIf(!has('mount'))(
  'reports a full state directory before asking the CA, and keeps the old file without partial files',
  () => {
    expect(keepIn('cat /dev/zero > "$1/filler" 2>/dev/null || true')).toEqual({
      checked: unusable('/trial', 'no space left'),
      saved: unusable('/current.pub', 'no space left'),
      written: unusable('/large', 'no space left'),
      loaded: 'old\n',
      files: 'current.pub',
    });
  },
);

test.skipIf(!has('mount'))('keeps the old content when the state directory fills up during a write', () => {
  expect(keepIn('true')).toEqual({
    checked: 'ok',
    saved: 'ok',
    written: unusable('/large', 'no space left'),
    loaded: 'new\n',
    files: 'current.pub',
  });
});

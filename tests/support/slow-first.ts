import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest on an idle machine, longest first. A wrong place costs time and nothing else. */
const SLOW = [
  'faults/matrix',
  'faults/packets',
  'faults/switch',
  'interop/tunnels/ssh/servers',
  'interop/scripts/kill-drill',
  'interop/scripts/simulate-drain',
  'interop/retirement/state-faults',
  'system/install',
  'interop/retirement/cutover',
  'system/system-unit',
  'system/install-host',
  'interop/retirement/drain',
  'interop/retirement/evidence',
  'interop/tunnels/link/jump',
  'interop/tunnels/credential/rotation',
  'interop/tunnels/link/replacement',
  'interop/tunnels/link/recovery',
  'interop/scripts/demo',
  'interop/operator/page',
  'system/package',
  'interop/tunnels/forward/remote',
  'interop/daemon/finding-the-daemon',
  'interop/tunnels/ssh/auth',
  'interop/tunnels/ssh/hostile-server',
  'interop/tunnels/credential/secrets',
  'interop/tunnels/credential/rotation-load',
  'interop/operator/control',
  'interop/tunnels/link/half-open',
  'interop/operator/alert-rules',
  'integration/retirement/agreement',
  'interop/tunnels/link/nine-hops',
  'interop/tunnels/ssh/key-file',
  'interop/tunnels/ssh/rekey-servers',
  'interop/tunnels/link/loop-lag',
  'interop/operator/up-and-wait',
  'interop/operator/notify',
  'interop/tunnels/credential/clocks',
  'system/certificates',
  'interop/tunnels/tunnel/target',
  'interop/retirement/plan',
  'interop/machine/deb-package',
];

const place = new Map(SLOW.map((file, index) => [`tests/${file}.test.ts`, index]));

/**
 * Starts the slow files first: at the end no processor waits for a slow file that started last. A clean clone has no
 * durations of an earlier run, and would sort by the names of the rings and the sizes of the files.
 */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const group = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    const rank = ({ moduleId }: TestSpecification) =>
      place.get(moduleId.slice(moduleId.lastIndexOf('/tests/') + 1)) ?? SLOW.length;
    return (await super.sort(files)).sort((a, b) => group(a) - group(b) || rank(a) - rank(b));
  }
}

/** Which unit and which pod a process belongs to. */
export interface Membership {
  readonly unit: string | null;
  readonly pod: string | null;
}

/**
 * A pod's uid, as both cgroup drivers write it (systemd's with `_`, where `-` means a level); of a static pod, a
 * digest.
 */
const POD = /(?:^|[/-])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:\/|$)/;

const UNIT = /^[\w:.\\@-]+\.(?:service|scope|socket|mount|swap)$/;
const USER_MANAGER = /^user@\d+\.service$/;

/**
 * Reads /proc/PID/cgroup (cgroups(7)): version 2, version 1, or both. The hierarchy of systemd names the unit. Pure; an
 * unknown line is ignored.
 */
export function membershipOf(text: string): Membership {
  const paths = text.split('\n').flatMap((line) => {
    const [, id = '', controllers = '', path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    return path === undefined ? [] : [{ systemd: id === '0' || controllers === 'name=systemd', path }];
  });
  const pod = paths.map(({ path }) => podOf(path)).find((found) => found !== undefined) ?? null;
  // Below a pod, the systemd scope is one container's, and has a new name after each restart.
  if (pod !== null) return { unit: null, pod };
  const unit = paths.filter(({ systemd }) => systemd).flatMap(({ path }) => unitOf(path) ?? [])[0] ?? null;
  return { unit, pod: null };
}

function podOf(path: string): string | undefined {
  return path.includes('kubepods') ? POD.exec(path)?.[1]?.replaceAll('_', '-') : undefined;
}

/** The outermost unit counts: a unit makes its own cgroups below itself. A user's manager is the exception. */
function unitOf(path: string): string | undefined {
  // systemd writes an underscore before names that are also cgroupfs files.
  const names = path.split('/').map((name) => name.replace(/^_/, ''));
  const first = names.findIndex((name) => UNIT.test(name));
  const outer = names[first];
  if (outer === undefined || !USER_MANAGER.test(outer)) return outer;
  const inner = names.slice(first + 1).find((name) => UNIT.test(name));
  return inner === undefined ? outer : `${outer}/${inner}`;
}

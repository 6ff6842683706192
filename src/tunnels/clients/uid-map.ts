/** What the kernel shows for a user that is none of this namespace (user_namespaces(7)). */
const OVERFLOW_UID = 65_534;

/** Whether a uid that the kernel shows is a user's, by the text of /proc/self/uid_map. Pure. */
export function isRealUid(uid: number, map: string): boolean {
  if (uid !== OVERFLOW_UID) return true;
  return map.split('\n').some((line) => {
    const [inside = Number.NaN, , count = 0] = line.trim().split(/\s+/).map(Number);
    return uid >= inside && uid < inside + count;
  });
}

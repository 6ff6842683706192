/**
 * Whether a file of a package belongs into the packed program. Excludes nested packages, build files other than compiled
 * modules, and files for compilers and debuggers. `path` is relative to the package. Pure.
 */
export function isShipped(path: string): boolean {
  const parts = path.split('/');
  if (parts.includes('node_modules')) return false;
  if (parts.includes('build') && parts.includes('Release')) return path.endsWith('/Release') || path.endsWith('.node');
  return !/^(build\/|deps\/|test\/)|\.([cm]?ts|map|cc|h|gyp)$/.test(path);
}

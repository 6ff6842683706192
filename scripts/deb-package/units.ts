/**
 * A unit of systemd/ as the package has it: node is the one that the package depends on, and the user unit runs the
 * program of the package instead of one below the home directory.
 */
export function packagedUnit(text: string): string {
  return text.replace(
    /^(Exec\w+=)node (?:%h\/\.local\/lib|\/usr\/lib)\/fleet-mesh\//gm,
    '$1/usr/bin/node /usr/lib/fleet-mesh/',
  );
}

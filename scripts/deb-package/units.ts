/**
 * A unit of systemd/ as the package has it: node is the one that the package depends on, the user unit runs the program
 * of the package instead of one below the home directory, and there are manual pages.
 */
export function packagedUnit(text: string): string {
  return text
    .replace(/^(Exec\w+=)node (?:%h\/\.local\/lib|\/usr\/lib)\/fleet-mesh\//gm, '$1/usr/bin/node /usr/lib/fleet-mesh/')
    .replace(/^Description=.*/m, '$&\nDocumentation=man:fleet-mesh(1) man:fleet-mesh-tunnels(5)');
}

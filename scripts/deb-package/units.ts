/**
 * Adapts a unit of systemd/ to the package: node of the package dependency, the packaged program also for users, and manual
 * pages.
 */
export function packagedUnit(text: string): string {
  return text
    .replace(
      /^(Exec\w+=)node((?: --\S+)*) (?:%h\/\.local\/lib|\/usr\/lib)\/fleet-mesh\//gm,
      '$1/usr/bin/node$2 /usr/lib/fleet-mesh/',
    )
    .replace(/^Description=.*/m, '$&\nDocumentation=man:fleet-mesh(1) man:fleet-mesh-tunnels(5)');
}

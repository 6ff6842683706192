import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { debianChangelog, debianVersion, nodeDependency } from '../../../../scripts/deb-package/control.ts';
import { packagedUnit } from '../../../../scripts/deb-package/units.ts';

describe(debianVersion, () => {
  it.each([
    ['1.2.3', '1', '1.2.3-1'],
    ['1.0.0-rc.1', '2', '1.0.0~rc.1-2'],
  ])('turns version %s, package %s, into %s', (upstream, revision, version) => {
    expect(debianVersion({ upstream, revision })).toBe(version);
  });
});

describe(nodeDependency, () => {
  it('reads the range of package.json', () => {
    expect(nodeDependency('>=20.19')).toBe('>= 20.19');
  });

  it('rejects a range other than >=VERSION', () => {
    expect(() => nodeDependency('^20 || ^22')).toThrow('expected >=VERSION');
  });
});

describe(debianChangelog, () => {
  it('writes the date in the form of RFC 5322', () => {
    const text = debianChangelog('1-1', 'A <a@b>', new Date(0));
    expect(text).toContain('\n -- A <a@b>  Thu, 01 Jan 1970 00:00:00 +0000\n');
  });
});

describe(packagedUnit, () => {
  it.each(['system', 'user'])('runs the program and the node of the package (%s)', (kind) => {
    const unit = packagedUnit(readFileSync(`systemd/${kind}/fleet-mesh.service`, 'utf8'));
    expect(unit).toMatch(/^ExecStart=\/usr\/bin\/node (--[a-z-]+=\d+ )+\/usr\/lib\/fleet-mesh\/dist\/cli\.js run /m);
    expect(unit).toMatch(/^ExecReload=\/usr\/bin\/node \/usr\/lib\/fleet-mesh\/dist\/cli\.js reload /m);
    expect(unit).not.toMatch(/^Exec.*(=node|%h)/m);
    expect(unit).toMatch(/^Documentation=man:fleet-mesh\(1\)/m);
  });
});

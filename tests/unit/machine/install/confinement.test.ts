import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { confinementOf } from '../../../../src/machine/install/confinement.ts';
import { userPlaces } from '../../../../src/machine/install/places.ts';
import { planInstall } from '../../../../src/machine/install/plan.ts';
import { factsOf, RELEASE } from './facts-of.ts';

describe(confinementOf, () => {
  it('keeps user, credentials, environment and sandbox settings of a service, and drops all others', () => {
    const unit = `[Unit]
User=no
[Service]
# ProtectHome=comment
Type=notify
User=fleet-mesh
ExecStart=node
WatchdogSec=30
RuntimeDirectory=fleet-mesh
LoadCredential=key:/etc/fleet-mesh/keys
SystemCallFilter=@system-service \\
  @pkey
CapabilityBoundingSet=
[Install]
PrivateTmp=no
`;
    const dropIn = '[Service]\n  Environment=VAULT_ADDR=https://vault.example  \nProtectHome=read-only\n';
    expect(confinementOf([unit, dropIn])).toEqual([
      'User=fleet-mesh',
      'LoadCredential=key:/etc/fleet-mesh/keys',
      'SystemCallFilter=@system-service    @pkey',
      'CapabilityBoundingSet=',
      'Environment=VAULT_ADDR=https://vault.example',
      'ProtectHome=read-only',
    ]);
  });

  it.each(['system', 'user'] as const)('runs the doctor of an installation in the sandbox of the %s unit', (scope) => {
    const units = new Map([['fleet-mesh.service', readFileSync(`systemd/${scope}/fleet-mesh.service`, 'utf8')]]);
    const facts = factsOf({
      release: { ...RELEASE, units },
      dropIns: ['[Service]\nEnvironment=VAULT_ADDR=https://vault.example\n'],
      ...(scope === 'user' ? { places: userPlaces('/home/me', '/run/user/1'), lingering: true } : {}),
    });
    const plan = planInstall(facts, { timeoutMs: 60_000, skipDoctor: false });
    const [doctor] = 'doctor' in plan ? plan.doctor : [];
    const argv: readonly string[] = doctor?.kind === 'command' ? doctor.argv : [];
    expect(argv.slice(0, 2)).toEqual(['systemd-run', scope === 'user' ? '--user' : '--quiet']);
    for (const setting of ['StateDirectory=fleet-mesh', 'PrivateUsers=yes', 'ProtectSystem=strict']) {
      expect(argv).toContain(`--property=${setting}`);
    }
    expect(argv).toContain('--property=Environment=VAULT_ADDR=https://vault.example');
    expect(argv.includes('--property=LoadCredential=key:/etc/fleet-mesh/keys')).toBe(scope === 'system');
    expect(argv.filter((word) => /Exec|Restart|Watchdog|Timeout|Runtime/.test(word))).toEqual([]);
  });
});

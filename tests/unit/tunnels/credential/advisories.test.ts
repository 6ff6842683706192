import { expect, it } from 'vitest';
import type { CredentialStatus } from '../../../../src/telemetry/status/status.ts';
import { credentialAdvisories } from '../../../../src/tunnels/credential/advisories.ts';
import { ago, linkFixture } from '../../../support/fakes/status-fixture.ts';

const certificate = (state: string, changes: Partial<CredentialStatus> = {}): CredentialStatus => ({
  ...linkFixture().credential,
  type: 'certificate',
  valid_before: ago(-600),
  renewal: { state, last_error: null },
  ...changes,
});

it.each([
  ['ok', ago(-600), []],
  ['renewing', ago(-600), []],
  [
    'failing',
    ago(-600),
    [`the certificate of atm-fleet-mesh ends at ${ago(-600).toISOString()}, and renewing it fails`],
  ],
  [
    'expired',
    ago(60),
    [`the certificate of atm-fleet-mesh expired at ${ago(60).toISOString()}, and renewing it fails`],
  ],
  // Without a certificate at all the link says what is wrong.
  ['failing', null, []],
])('advises on a certificate whose renewal is %s, until %s', (state, valid_before, expected) => {
  const link = linkFixture({ credential: certificate(state, { valid_before }) });
  const told = credentialAdvisories([link, { ...link, host: 'another' }]);
  expect(told.map(({ message }) => message.replace(/: .*why.*/, ''))).toEqual(expected);
  for (const { code } of told) expect(code).toBe('certificate_without_renewal');
});

it('advises on a static key in use for each link, and once on one that can be removed', () => {
  const static_key = { exception: 'x', last_needed_at: null, removable: true, verdict: 'it can be removed' };
  const link = linkFixture({ degraded: 'static key: no certificate', credential: certificate('ok', { static_key }) });
  expect(credentialAdvisories([link, { ...link, host: 'another' }])).toEqual([
    { code: 'static_key_in_use', message: 'atm-fleet-mesh goes to coulombcore by its static key: no certificate' },
    { code: 'static_key_in_use', message: 'atm-fleet-mesh goes to another by its static key: no certificate' },
    { code: 'static_key_removable', message: 'atm-fleet-mesh: it can be removed' },
  ]);
});

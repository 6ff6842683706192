import { expect, it } from 'vitest';
import { type ErrorReport, TunnelError } from '../../../../src/base/errors.ts';
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
    [`certificate for atm-fleet-mesh expires at ${ago(-600).toISOString()} and renewal is failing`],
  ],
  ['expired', ago(60), [`certificate for atm-fleet-mesh expired at ${ago(60).toISOString()} and renewal is failing`]],
  // Without any certificate, the error of the link is enough.
  ['failing', null, []],
])(
  'warns about a certificate with renewal state %s that expires at %s, unless renewal works',
  (state, valid_before, expected) => {
    const link = linkFixture({ credential: certificate(state, { valid_before }) });
    const advisories = credentialAdvisories([link, { ...link, host: 'another' }]);
    expect(advisories.map(({ message }) => message.replace(/; see `fleet-mesh status`$/, ''))).toEqual(expected);
    // The same advisory before and after the end of the certificate: the log must not call the trouble cleared.
    for (const advisory of advisories)
      expect(advisory).toMatchObject({ code: 'certificate_without_renewal', subject: 'atm-fleet-mesh' });
  },
);

it('warns about a certificate that is not valid yet only when its renewal fails', () => {
  const early = (last_error: ErrorReport | null) =>
    credentialAdvisories([
      linkFixture({
        credential: certificate('x', { valid_after: ago(-60), renewal: { state: 'not_yet_valid', last_error } }),
      }),
    ]);
  expect(early(null)).toEqual([]);
  const [advisory] = early(new TunnelError('cert_not_yet_valid', 'the certificate is not valid before').report());
  expect(advisory?.message).toContain(`is not valid before ${ago(-60).toISOString()} and renewal is failing`);
});

it('warns about a static key in use for each link, and about a removable static key once', () => {
  const static_key = { exception: 'x', last_needed_at: null, removable: true, verdict: 'it can be removed' };
  const link = linkFixture({ degraded: 'static key: no certificate', credential: certificate('ok', { static_key }) });
  const advisories = credentialAdvisories([link, { ...link, host: 'another' }]);
  expect(advisories.map(({ code, message }) => ({ code, message }))).toEqual([
    { code: 'static_key_in_use', message: 'atm-fleet-mesh logs in to coulombcore with its static key: no certificate' },
    { code: 'static_key_in_use', message: 'atm-fleet-mesh logs in to another with its static key: no certificate' },
    { code: 'static_key_removable', message: 'atm-fleet-mesh: it can be removed' },
  ]);
});

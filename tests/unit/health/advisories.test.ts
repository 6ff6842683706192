import { describe, expect, it } from 'vitest';
import { credentialAdvisories } from '../../../src/health/advisories.ts';
import type { CredentialStatus } from '../../../src/health/status.ts';
import { ago, linkFixture } from '../../support/status-fixture.ts';

const trouble = { code: 'cert_command_failed', message: 'exit code 2', hint: 'Run it.', at: ago(20) } as const;
const certificate = (changes: Partial<CredentialStatus>): CredentialStatus => ({
  ...linkFixture().credential,
  type: 'certificate',
  serial: '7',
  valid_before: ago(-60),
  ...changes,
});

describe(credentialAdvisories, () => {
  it('has nothing to say while certificates are renewed', () => {
    const credential = certificate({ renewal: { state: 'ok', last_error: null } });
    expect(credentialAdvisories([linkFixture({ credential })])).toEqual([]);
  });

  it.each([
    ['failing', ago(-60), 'certificate_not_renewed', `good until ${ago(-60)}`],
    ['failing', null, 'certificate_not_renewed', 'good until the end of time'],
    ['expired', ago(60), 'certificate_not_renewed', `expired at ${ago(60)}`],
    ['ok', ago(-60), 'certificate_not_kept', 'a restart will need a new'],
  ])('warns once an actor while renewal is %s and the tunnels are up', (state, valid_before, code, says) => {
    const credential = certificate({ valid_before, renewal: { state, last_error: trouble } });
    const links = [linkFixture({ credential }), linkFixture({ host: 'other', credential })];
    const message = expect.stringMatching(new RegExp(`${says}.*exit code 2\\. Run it\\.`));
    expect(credentialAdvisories(links)).toEqual([{ code, message }]);
  });

  it('leaves it to the tunnels where there is no certificate at all', () => {
    const credential = certificate({ serial: null, renewal: { state: 'failing', last_error: trouble } });
    expect(credentialAdvisories([linkFixture({ credential, state: 'blocked' })])).toEqual([]);
  });

  it('says when the static key serves, link by link, and once when it can go', () => {
    const static_key = { exception: 'x', last_needed_at: null, removable: true, verdict: 'it can be removed' };
    const credential = certificate({ static_key, renewal: { state: 'ok', last_error: null } });
    const links = [
      linkFixture({ credential }),
      linkFixture({ host: 'other', credential, degraded: 'static key: away' }),
    ];
    expect(credentialAdvisories(links)).toEqual([
      { code: 'static_key_in_use', message: 'atm-fleet-mesh goes to other by its static key: away' },
      { code: 'static_key_removable', message: 'atm-fleet-mesh: it can be removed' },
    ]);
  });
});

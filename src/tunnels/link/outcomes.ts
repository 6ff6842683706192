import type { TunnelError } from '../../base/errors.ts';
import type { Activity } from './activity.ts';
import { FirstLogin } from './first-login.ts';
import { Rotation } from './rotation.ts';

/** The outcomes that an operator waits for: of new settings, and of a new credential. */
export class Outcomes {
  readonly firstLogin = new FirstLogin();
  readonly rotation = new Rotation();

  /**
   * No session could be made. Attempts continue.
   *
   * @param withNewest whether the attempt would have used the newest credential: an older one says nothing about a rotation
   */
  fail(error: TunnelError, withNewest = true): void {
    this.firstLogin.fail(error);
    if (withNewest) this.rotation.fail(error);
  }

  /** A jump host that cannot be reached fails every login behind it, with whatever settings and credential. */
  follow(activity: Activity): void {
    if (activity.kind === 'stranded' && activity.error) this.fail(activity.error);
  }
}

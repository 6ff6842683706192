import { z } from 'zod';
import { type AllowRule, parseRule, RULE_EXPECTED, RULE_PATTERN } from '../allow/rule.ts';
import { describeValue, wants } from '../expectation.ts';

/** One destination that clients of a dynamic tunnel may ask for. The pattern is only for editors. */
export const allowRule = z
  .string({ error: wants(RULE_EXPECTED) })
  .meta({ pattern: RULE_PATTERN.source })
  .transform((written, context): AllowRule => {
    const rule = parseRule(written);
    if (!('fault' in rule)) return rule;
    context.addIssue({
      code: 'custom',
      message: `${describeValue(written)} (${rule.fault}); expected ${RULE_EXPECTED}`,
    });
    return z.NEVER;
  });

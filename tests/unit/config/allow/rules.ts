import { type AllowRule, parseRule } from '../../../../src/config/allow/rule.ts';

/** Parses well-formed rules. */
export function rules(...texts: readonly string[]): AllowRule[] {
  return texts.map((text) => {
    const rule = parseRule(text);
    if ('fault' in rule) throw new Error(`${text}: ${rule.fault}`);
    return rule;
  });
}

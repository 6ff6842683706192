import { markdownTable, markdownText } from '../../base/text/markdown.ts';
import type { Inventory } from '../../retirement/plan/inventory.ts';

const HEAD = ['#', 'Workload', 'Current', 'Target', 'Owner', 'Wave', 'Lifecycle state', 'Status'];

/** The placement register as a Markdown document. Pure. */
export function inventoryMarkdown({ plan, services }: Inventory): string {
  const rows = services.map(({ id, workload, current, target, owner, wave, lifecycle_state: state, status }) =>
    [`${id}`, workload, current, target ?? 'unknown', owner.join(', '), `${wave ?? ''}`, state, status].map(cell),
  );
  return `# Service inventory

From \`${markdownText(plan.path)}\`, SHA-256 ${plan.sha256}.

${markdownTable(HEAD, rows)}
`;
}

function cell(text: string): string {
  return text === '' ? '-' : markdownText(text);
}

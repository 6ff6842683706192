import { randomBytes } from 'node:crypto';
import { link, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { acceptanceMarkdown } from './markdown.ts';
import type { AcceptanceReport } from './report.ts';

/**
 * Files the report in the directory, as Markdown and as JSON. Each appears as a whole or not at all, and nothing that is
 * there is touched. Returns the paths; rejects with the error of the file system (EEXIST: this report was filed before).
 */
export async function fileReport(directory: string, report: AcceptanceReport): Promise<string[]> {
  const name = `acceptance-${report.node}-${report.as_of.replace(/[-:]|\.\d+/g, '')}`;
  const paths: string[] = [];
  try {
    for (const [extension, content] of [
      ['json', `${JSON.stringify(report, null, 2)}\n`],
      ['md', acceptanceMarkdown(report)],
    ] as const) {
      const path = join(directory, `${name}.${extension}`);
      await writeNew(path, content);
      paths.push(path);
    }
  } catch (error) {
    // One without the other would stand in the way of the next attempt.
    await Promise.all(paths.map((path) => unlink(path).catch(() => {})));
    throw error;
  }
  return paths;
}

/** link(2) refuses a name that is taken, which rename(2) would not. */
async function writeNew(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path);
  } finally {
    await unlink(temporary).catch(() => {});
  }
}

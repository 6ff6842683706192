import { randomBytes } from 'node:crypto';
import { link, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { acceptanceMarkdown } from './markdown.ts';
import type { AcceptanceReport } from './report.ts';

/**
 * Files the report in the directory, as Markdown and as JSON, atomically and without overwriting. Returns the paths. Rejects
 * with the error of the file system (EEXIST: this report was filed before).
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
    // A single file would block the next attempt.
    await Promise.all(paths.map((path) => unlink(path).catch(() => {})));
    throw error;
  }
  return paths;
}

/** Uses link(2), because rename(2) would overwrite an existing file. */
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

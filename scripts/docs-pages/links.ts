import { Writable } from 'node:stream';
import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import remarkValidateLinks from 'remark-validate-links';
import { type Plugin, unified } from 'unified';
import { engine } from 'unified-engine';

/** A plugin of the engine, not of the processor: only so it sees all pages and checks anchors in other pages. */
const validateLinks = remarkValidateLinks as unknown as Plugin<unknown[]>;

/**
 * Reports links and pictures to missing files, and anchors without a heading, with file, line and column. Empty if there
 * are none. Does not follow links to other sites.
 *
 * @param pages paths in the checkout
 */
export function brokenLinks(checkout: string, pages: readonly string[]): Promise<string> {
  let report = '';
  const collect = new Writable({
    write(chunk: Buffer, _, done) {
      report += chunk.toString();
      done();
    },
  });
  return new Promise((resolve, reject) => {
    engine(
      {
        processor: unified().use(remarkParse).use(remarkGfm),
        plugins: [[validateLinks, { repository: false, root: checkout }]],
        cwd: checkout,
        files: [...pages],
        output: false,
        quiet: true,
        color: false,
        streamOut: new Writable({ write: (_chunk, _encoding, done) => done() }),
        streamError: collect,
      },
      (error, code) => (error ? reject(error) : resolve(code === 0 ? report : report || `links: exit code ${code}\n`)),
    );
  });
}

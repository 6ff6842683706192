import type { Link } from '../link/link.ts';

/** Ends them all, those that others run over after them: every session is to say goodbye. */
export async function endLinks(
  links: readonly { readonly link: Link; readonly jump: Link | undefined }[],
): Promise<void> {
  for (let left = links; left.length > 0; ) {
    const outermost = left.filter(({ link }) => !left.some(({ jump }) => jump === link));
    await Promise.all(outermost.map(({ link }) => link.stop()));
    left = left.filter((entry) => !outermost.includes(entry));
  }
}

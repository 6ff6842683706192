import { shown } from './words.ts';

/** A text of the daemon, with its `commands` as code. */
export function Hint({ text }: { readonly text: string }) {
  return (
    <>
      {shown(text)
        .split('`')
        .map((part, index) => (index % 2 === 0 ? part : <code key={index}>{part}</code>))}
    </>
  );
}

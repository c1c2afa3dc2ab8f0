import { useState } from 'react';

/** Reasons that were typed and not sent yet, by what they are for: a sheet that was closed has them when it opens again. */
const kept = new Map<string, string>();

/** A reason that somebody types; `sent` forgets it. */
export function useTyped(what: string): { text: string; type: (text: string) => void; sent: () => void } {
  const [text, setText] = useState(() => kept.get(what) ?? '');
  const type = (next: string) => {
    kept.set(what, next);
    setText(next);
  };
  const sent = () => {
    kept.delete(what);
    setText('');
  };
  return { text, type, sent };
}

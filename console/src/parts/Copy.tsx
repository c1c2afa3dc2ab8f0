import { useState } from 'react';
import { useSay } from '../words/say';
import { Button } from './Button';
import { Icon } from './Glyph';

/** Copies a text; on plain HTTP, where a page may not, it selects it for the reader to copy. */
export function Copy({ text, from }: { text: string; from?: { current: HTMLElement | null } }) {
  const say = useSay();
  const [done, setDone] = useState(false);
  const copy = async () => {
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (clipboard) {
      await clipboard.writeText(text);
      setDone(true);
    } else if (from?.current) getSelection()?.selectAllChildren(from.current);
  };
  return (
    <Button small look="quiet" onPress={() => void copy()} onHoverEnd={() => setDone(false)}>
      <Icon shape={done ? 'i-check' : 'i-copy'} />
      {say(done ? 'copied' : 'copy')}
    </Button>
  );
}

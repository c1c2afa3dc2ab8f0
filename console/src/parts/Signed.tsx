/** Signs with their words, for rows of tables and facts. */
import { useSay } from '../words/say';
import { Glyph, Icon, type Sign } from './Glyph';
import p from './Page.module.css';

/** A sign and what it says; the server's own word, where that is newer than the console. */
export function Signed({ sign, word }: { sign: Sign | undefined; word: string }) {
  const say = useSay();
  return (
    <span className={p.sign}>
      {sign && <Glyph sign={sign} />}
      {sign ? say(sign.word) : word}
    </span>
  );
}

/** It is so. */
export function Yes() {
  const say = useSay();
  return (
    <span className={p.sign}>
      <Icon shape="i-check" />
      {say('fleet.yes')}
    </span>
  );
}

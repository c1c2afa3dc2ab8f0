/** A table that its place scrolls where it is too narrow for it. */
import type { ReactNode } from 'react';
import type { MessageId } from '../words/ids';
import { useSay } from '../words/say';
import { Scroll } from './Scroll';
import t from './Table.module.css';

export interface Column {
  word: MessageId;
  /** Takes what the others leave, without. */
  width?: number | string;
  isNumber?: boolean;
  /** Its word is for who cannot see what stands below it. */
  isUnseen?: boolean;
}

interface Props {
  of: readonly Column[];
  /** From which width on it scrolls. */
  size: 'mid' | 'wide';
  /** What it is, for a table in which there is nothing to go to: keys scroll it by itself then. */
  label?: string;
  /** Its rows. */
  children: ReactNode;
}

export function Table({ of, size, label, children }: Props) {
  const say = useSay();
  const table = (
    <table className={`${t.tbl} ${t[size]}`}>
      <thead>
        <tr>
          {of.map(({ word, width, isNumber, isUnseen }) => (
            <th key={word} className={isNumber ? t.num : undefined} style={width === undefined ? undefined : { width }}>
              {isUnseen ? <span className="sr">{say(word)}</span> : say(word)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
  return label === undefined ? <div className={t.scroll}>{table}</div> : <Scroll label={label}>{table}</Scroll>;
}

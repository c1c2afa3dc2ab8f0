/** Names with values, as many as one likes. */
import { useState } from 'react';
import { Button } from '../../../parts/Button';
import { Icon } from '../../../parts/Glyph';
import { shown } from '../../../words/format';
import { useSay } from '../../../words/say';
import s from './Edit.module.css';

interface Props {
  id: string;
  value: unknown;
  isFixed: boolean;
  onChange: (value: Record<string, string> | undefined) => void;
}

type Pair = readonly [string, string];

export function Pairs({ id, value, isFixed, onChange }: Props) {
  const say = useSay();
  const known: Pair[] = typeof value === 'object' && value !== null ? Object.entries(value).map(([name, text]) => [name, shown(text)]) : [];
  // A name that is being typed may be empty, or be another's for a moment: rows keep their places meanwhile.
  const [rows, setRows] = useState<readonly Pair[]>(known);
  const told = JSON.stringify(Object.fromEntries(rows.filter(([name]) => name)));
  const shownRows = told === JSON.stringify(Object.fromEntries(known)) ? rows : known;
  const set = (next: readonly Pair[]) => {
    setRows(next);
    const named = next.filter(([name]) => name);
    onChange(named.length ? Object.fromEntries(named) : undefined);
  };
  const at = (index: number, pair: Pair) => shownRows.map((row, place) => (place === index ? pair : row));
  return (
    <div className={s.pairs} id={id} role="group">
      {shownRows.map(([name, text], index) => (
        <div key={index} className={s.pair}>
          <input aria-label={say('pairs.name')} value={name} disabled={isFixed} spellCheck={false} onChange={(event) => set(at(index, [event.target.value, text]))} />
          <textarea aria-label={say('pairs.value', { name })} rows={text.includes('\n') ? 4 : 1} value={text} disabled={isFixed} spellCheck={false} onChange={(event) => set(at(index, [name, event.target.value]))} />
          {!isFixed && (
            <Button icon small look="quiet" aria-label={say('pairs.remove', { name })} onPress={() => set(shownRows.filter((_, place) => place !== index))}>
              <Icon shape="i-x" />
            </Button>
          )}
        </div>
      ))}
      {!isFixed && (
        <Button small look="quiet" onPress={() => setRows([...shownRows, ['', '']])}>
          <Icon shape="i-plus" />
          {say('pairs.add')}
        </Button>
      )}
    </div>
  );
}

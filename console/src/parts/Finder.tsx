import { useState } from 'react';
import { Icon } from './Glyph';
import s from './Finder.module.css';

interface Props {
  label: string;
  value: string;
  onChange: (text: string) => void;
}

/** A field that narrows a list by letters, as they are typed. `/` goes to it. */
export function Finder({ label, value, onChange }: Props) {
  // What is typed stands here at once; the address follows.
  const [typed, setTyped] = useState(value);
  const [seen, setSeen] = useState(value);
  const [sent, setSent] = useState(value);
  if (value !== seen) {
    setSeen(value);
    if (value !== sent) setTyped(value);
  }
  const type = (text: string) => {
    setTyped(text);
    setSent(text);
    onChange(text);
  };
  return (
    <span className={s.find}>
      <Icon shape="i-search" />
      <input
        type="search"
        data-search=""
        aria-label={label}
        placeholder={label}
        value={typed}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => type(event.target.value)}
      />
    </span>
  );
}

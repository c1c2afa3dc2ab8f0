/**
 * The search bar: words that are complete are chips, the one at the end is text. What is typed goes into the address, so it survives a reload and can be
 * passed on.
 */
import { type KeyboardEvent, useId, useRef, useState } from 'react';
import { Button as AriaButton } from 'react-aria-components';
import { Button } from '../parts/Button';
import { Icon } from '../parts/Glyph';
import o from '../parts/Overlay.module.css';
import { type Fault, type Of, parse, qualifiers, type Word } from './grammar';
import { count } from '../words/format';
import { usePrefs } from '../look/prefs';
import { useSay } from '../words/say';
import s from './QueryBar.module.css';
import { suggestions } from './suggestions';

interface Props {
  /** What is looked for. */
  of: Of;
  q: string;
  onChange: (q: string) => void;
  /** How many it finds, once that is known. */
  found: number | undefined;
}

export function QueryBar({ of, q, onChange, found }: Props) {
  const say = useSay();
  const { language } = usePrefs();
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [chips, setChips] = useState(() => normal(q));
  const [seen, setSeen] = useState(q);
  const [sent, setSent] = useState(q);
  // The address was changed by something else: a facet, the way back, a link.
  if (q !== seen) {
    setSeen(q);
    if (normal(q) !== normal(sent)) {
      setChips(normal(q));
      setText('');
    }
  }
  const shown = parse(chips, of);
  const offered = open ? suggestions(text, of) : [];
  const faulty = [...shown, ...parse(text, of)].find((word) => word.fault);

  const change = (chipText: string, typed: string) => {
    const whole = [chipText, typed.trim()].filter(Boolean).join(' ');
    setChips(chipText);
    setText(typed);
    setActive(-1);
    setSent(whole);
    onChange(whole);
  };
  const commit = (word: string) => change([chips, word].filter(Boolean).join(' '), '');
  const type = (typed: string) => {
    setOpen(true);
    const isWhole = /\s$/.test(typed) && (typed.match(/"/g)?.length ?? 0) % 2 === 0;
    if (isWhole) commit(typed.trim());
    else change(chips, typed);
  };
  const take = (word: string) => {
    if (word.endsWith(':')) {
      setText(`${text.startsWith('-') ? '-' : ''}${word}`);
      setActive(-1);
    } else commit(`${text.startsWith('-') ? '-' : ''}${word}`);
    input.current?.focus();
  };
  const drop = (index: number) => {
    change(shown.filter((_, at) => at !== index).map(({ raw }) => raw).join(' '), text);
    input.current?.focus();
  };
  const press = (event: KeyboardEvent) => {
    const last = shown[shown.length - 1];
    if (event.key === 'Backspace' && text === '' && last) {
      event.preventDefault();
      change(shown.slice(0, -1).map(({ raw }) => raw).join(' '), last.raw);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const chosen = offered[active];
      if (chosen) take(chosen);
      else if (text.trim()) commit(text.trim());
    } else if (event.key === 'Escape') {
      if (open) setOpen(false);
      else input.current?.blur();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!open) setOpen(true);
      else if (offered.length) setActive((active + (event.key === 'ArrowDown' ? 1 : offered.length)) % offered.length);
    }
  };
  return (
    <div className={s.around}>
      <div className={s.qbar} role="search" aria-label={say(`search.${of}`)}>
        <Icon shape="i-search" />
        {shown.map((word, index) => (
          <Chip key={index} word={word} onDrop={() => drop(index)} />
        ))}
        <input
          ref={input}
          data-search=""
          value={text}
          role="combobox"
          aria-label={say(`search.${of}`)}
          aria-expanded={offered.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={active >= 0 ? `${list}-${active}` : undefined}
          aria-invalid={faulty !== undefined}
          placeholder={shown.length ? '' : say(`search.${of}Hint`)}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => type(event.target.value)}
          onKeyDown={press}
          onBlur={() => setOpen(false)}
        />
        <span className={s.right}>
          <span className="hide-m" role="status">
            {found !== undefined && say('search.match', { count: found, shown: count(found, language) })}
          </span>
          {q && (
            <Button small look="quiet" onPress={() => change('', '')}>
              <Icon shape="i-x" />
              {say('search.clear')}
            </Button>
          )}
          <kbd className={`${s.kbd} hide-m`}>/</kbd>
        </span>
      </div>
      <ul className={`${o.popover} ${o.list} ${s.list}`} id={list} role="listbox" aria-label={say('search.offered')} hidden={offered.length === 0}>
        {offered.map((word, index) => (
          <li
            key={word}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === active}
            className={o.item}
            data-focused={index === active || undefined}
            onPointerDown={(event) => {
              event.preventDefault();
              take(word);
            }}
          >
            <code>{word}</code>
          </li>
        ))}
      </ul>
      {faulty?.fault && (
        <p className={s.fault} role="alert">
          {say(told(faulty.fault, of), { word: faulty.raw, ...about(faulty.fault, of) })}
        </p>
      )}
    </div>
  );
}

const told = ({ kind }: Fault, of: Of) => (kind === 'ofOthers' && of === 'runs' ? 'query.ofJobs' : (`query.${kind}` as const));

/** What a fault is about: the qualifier, and what would be right. */
function about({ row }: Fault, of: Of): { name: string; known: string } {
  const known = typeof row?.takes === 'object' ? row.takes : qualifiers(of).map(({ name }) => name);
  return { name: row?.name ?? '', known: known.join(', ') };
}

/** A search as it is compared: its words, with one space between them. */
const normal = (text: string) => parse(text).map(({ raw }) => raw).join(' ');

function Chip({ word, onDrop }: { word: Word; onDrop: () => void }) {
  const say = useSay();
  return (
    <AriaButton className={s.q ?? ''} data-fault={word.fault?.kind} onPress={onDrop} aria-label={say('search.drop', { word: word.raw })}>
      <i>
        {word.not ? '-' : ''}
        {word.row ? `${word.row.name}:` : ''}
      </i>
      <b>
        <bdi>{word.value}</bdi>
      </b>
      <Icon shape="i-x" />
    </AriaButton>
  );
}

/** The balance, drawn as an equation: each term leads to exactly those rows. */
import type { ReactNode } from 'react';
import { usePrefs } from '../look/prefs';
import type { MessageId } from '../words/ids';
import { count } from '../words/format';
import { useSay } from '../words/say';
import { type Balance, type Term, TERMS, unaccounted } from './balance';
import s from './Balance.module.css';
import { Glyph, Icon, OUTCOMES, RUNNING, type Sign, UNACCOUNTED } from './Glyph';

const SIGNS: Readonly<Record<Term, Sign | undefined>> = {
  succeeded: OUTCOMES['succeeded'],
  failed: OUTCOMES['failed'],
  missed: OUTCOMES['missed'],
  skipped: OUTCOMES['skipped'],
  coalesced: OUTCOMES['coalesced'],
  cancelled: OUTCOMES['cancelled'],
  running: RUNNING,
  unaccounted: UNACCOUNTED,
};

interface Props {
  of: Balance;
  /** What the sum counts: instants that were due, unless told. */
  word?: MessageId;
  /** More of the span is not there yet. */
  partial?: boolean;
  small?: boolean;
  /** Leads to the rows of a term; a term without is text. */
  link?: (term: Term, props: { className: string; children: ReactNode }) => ReactNode;
}

export function BalanceLine({ of, word = 'balance.due', partial = false, small = false, link }: Props) {
  const say = useSay();
  const { language } = usePrefs();
  // What is nothing and seldom anything else need not stand there; what must be nothing does.
  const shown = TERMS.filter((term) => !small || of[term] > 0 || term === 'unaccounted');
  return (
    <div className={s.balance} data-small={small || undefined} role="group" aria-label={say('balance.title')}>
      <span className={s.due}>
        <b>
          {count(of.due, language)}
          {partial && '…'}
        </b>{' '}
        {say(word, { count: of.due })}
      </span>
      <span className={s.eq} aria-hidden="true">
        =
      </span>
      {shown.map((term) => {
        const sign = SIGNS[term];
        const number = term === 'unaccounted' ? unaccounted(of) : of[term];
        const className = [s.term, number === 0 && s.zero, term === 'unaccounted' && number > 0 && s.loud].filter(Boolean).join(' ');
        const children = (
          <>
            {sign && <Glyph sign={sign} />}
            <b>{count(number, language)}</b>
            <span>{say(`outcome.${term}`)}</span>
          </>
        );
        const linked = number > 0 && link?.(term, { className, children });
        return linked ? (
          <span key={term}>{linked}</span>
        ) : (
          <span key={term} className={className}>
            {children}
          </span>
        );
      })}
    </div>
  );
}

/** Whether all is accounted for, in words; the loudest thing on the page when it is not. */
export function Balanced({ of }: { of: Balance }) {
  const say = useSay();
  const { language } = usePrefs();
  const open = unaccounted(of);
  if (open > 0) {
    return (
      <span className={`${s.balanced} un t`} role="alert">
        <Glyph sign={UNACCOUNTED} />
        {say('balance.open', { count: open, shown: count(open, language) })}
      </span>
    );
  }
  return (
    <span className={`${s.balanced} ok t`}>
      <Icon shape="i-check" />
      {say('balance.balanced')}
    </span>
  );
}

/** How many of what is found are in each state; each narrows to it, and again to all. Counts are the server's, of the whole search. */
import { useQuery } from '@tanstack/react-query';
import { ToggleButton } from 'react-aria-components';
import { jobCount } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import { Glyph, type Sign, STATUSES } from '../../parts/Glyph';
import { narrowed, valueOf } from '../../query/grammar';
import { count } from '../../words/format';
import { useSay } from '../../words/say';
import s from './Jobs.module.css';

/** The states that can be searched for, by the word of the search. */
const FACETS = ['OK', 'CRASHED', 'DEGRADED', 'SHARDING_FLAG', 'PAUSED', 'DISABLED'].flatMap((status) => {
  const sign = STATUSES[status];
  return sign ? [{ value: status.toLowerCase(), sign }] : [];
});

export function Facets({ q, onChange }: { q: string; onChange: (q: string) => void }) {
  const say = useSay();
  const chosen = valueOf(q, 'status')?.toLowerCase();
  return (
    <div className={s.facets} role="group" aria-label={say('jobs.byState')}>
      {FACETS.map(({ value, sign }) => (
        <Facet
          key={value}
          sign={sign}
          q={narrowed(q, 'status', value)}
          on={chosen === value}
          onPress={() => onChange(narrowed(q, 'status', chosen === value ? undefined : value))}
        />
      ))}
    </div>
  );
}

function Facet({ sign, q, on, onPress }: { sign: Sign; q: string; on: boolean; onPress: () => void }) {
  const say = useSay();
  const { language } = usePrefs();
  const found = useQuery({ ...jobCount(q), placeholderData: (before) => before });
  return (
    <ToggleButton isSelected={on} onChange={onPress} data-zero={found.data === 0 || undefined}>
      <Glyph sign={sign} />
      {say(sign.word)}
      <b>{found.data === undefined ? '…' : count(found.data, language)}</b>
    </ToggleButton>
  );
}

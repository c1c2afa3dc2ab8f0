/** Runs: every outcome that one may see, found by words. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { ToggleButton } from 'react-aria-components';
import { Glyph, OUTCOMES } from '../../parts/Glyph';
import p from '../../parts/Page.module.css';
import { narrowed, valueOf } from '../../query/grammar';
import { QueryBar } from '../../query/QueryBar';
import { useSay } from '../../words/say';
import { chosenOf, RunList, Spans } from './RunList';
import s from './Runs.module.css';

export function RunsPage() {
  const say = useSay();
  const { q = '', span } = useSearch({ from: '/shell/runs' });
  const navigate = useNavigate({ from: '/runs' });
  const chosen = chosenOf(span);
  const search = (text: string, replace: boolean) =>
    void navigate({ search: (before) => ({ ...before, q: text || undefined }), replace });
  return (
    <>
      <div className={p.head}>
        <h1>{say('place.runs')}</h1>
        <div className={p.acts}>
          <Spans value={chosen} onChange={(to) => void navigate({ search: (before) => ({ ...before, span: to === 'all' ? undefined : to }) })} />
        </div>
      </div>
      <QueryBar of="runs" q={q} onChange={(text) => search(text, true)} found={undefined} />
      <OutcomeFacets q={q} onChange={(text) => search(text, false)} />
      <div className={p.panel}>
        <RunList q={q} span={chosen} />
      </div>
    </>
  );
}

/** Narrows to one outcome, and to all again. */
export function OutcomeFacets({ q, onChange }: { q: string; onChange: (q: string) => void }) {
  const say = useSay();
  const chosen = valueOf(q, 'outcome', 'runs')?.toLowerCase();
  return (
    <div className={s.facets} role="group" aria-label={say('runs.byOutcome')}>
      {Object.entries(OUTCOMES).map(([outcome, sign]) => (
        <ToggleButton
          key={outcome}
          isSelected={chosen === outcome}
          onChange={(on) => onChange(narrowed(q, 'outcome', on ? outcome : undefined, 'runs'))}
        >
          <Glyph sign={sign} />
          {say(sign.word)}
        </ToggleButton>
      ))}
    </div>
  );
}

/** A list of outcomes, found by words and a span; of a job, or of all that one may see. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { runList, type Since } from '../../api/history';
import type { JobName } from '../../api/queries';
import { usePrefs, zoneOf } from '../../look/prefs';
import { Button } from '../../parts/Button';
import { useHeld } from '../../parts/held';
import { Icon } from '../../parts/Glyph';
import { Segmented } from '../../parts/Segmented';
import { Empty, More, Unseen } from '../../parts/States';
import { begin, type Span, spanOf } from '../../words/spans';
import { useSay } from '../../words/say';
import { RunTable } from './RunTable';
import s from './Runs.module.css';
import { CHOICES } from './search';

export type Chosen = Span | 'all';

/** The span that an address names, if it does. */
export const chosenOf = (span: string | undefined): Chosen => spanOf<Chosen>(span, CHOICES, 'all');

/** When a span begins, as it is asked for. */
export function useSince(span: Chosen): Since | undefined {
  const { zone } = usePrefs();
  if (span === 'all') return undefined;
  return { name: `${span} ${zone}`, begin: () => begin(span, Date.now(), zoneOf(zone)) };
}

/** Chooses a span. */
export function Spans({ value, onChange }: { value: Chosen; onChange: (span: Chosen) => void }) {
  const say = useSay();
  const all = ['all', ...CHOICES] as const;
  return (
    <Segmented label={say('overview.span')} of={all.map((id) => ({ id, text: say(`span.${id}`) }))} value={value} onChange={onChange} />
  );
}

interface Props {
  name?: JobName;
  q: string;
  span: Chosen;
}

export function RunList({ name, q, span }: Props) {
  const say = useSay();
  const asked = runList(name, { q, since: useSince(span) });
  const { held, waits, renew } = useHeld(asked.queryKey);
  const list = useInfiniteQuery({ ...asked, enabled: !held });
  if (!list.data) return <Unseen query={list} what="place.runs" rows={12} />;
  const runs = list.data.pages.flatMap((page) => page.items);
  return (
    <>
      {waits && (
        <p className={s.newer}>
          <Button small onPress={renew}>
            <Icon shape="i-retry" />
            {say('runs.newer')}
          </Button>
        </p>
      )}
      {runs.length > 0 ? (
        <RunTable runs={runs} {...(name ? { project: name.project } : {})} />
      ) : (
        <Empty title={say(q ? 'runs.noneMatch' : span === 'all' ? 'job.neverRan' : 'runs.noneThen', { q })}>
          {list.hasNextPage && <p className="mid">{say('runs.goOn')}</p>}
          {!q && span === 'all' && <p className="mid">{say('job.neverRanSay')}</p>}
        </Empty>
      )}
      <More list={list} />
    </>
  );
}

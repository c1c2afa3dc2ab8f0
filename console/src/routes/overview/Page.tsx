/** The first page: did all run that was due, what needs somebody, what comes. */
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { type Overview, overview } from '../../api/history';
import { usePrefs, zoneOf } from '../../look/prefs';
import type { Term } from '../../parts/balance';
import { Balanced, BalanceLine } from '../../parts/Balance';
import { Segmented } from '../../parts/Segmented';
import { Unseen } from '../../parts/States';
import { Ago, Instant } from '../../parts/Times';
import { begin, type Span, spanOf } from '../../words/spans';
import { Say, useSay } from '../../words/say';
import { Attention } from './Attention';
import { FirstSteps } from './FirstSteps';
import s from './Overview.module.css';
import { steps } from './steps';
import { Upcoming } from './Upcoming';

const CHOICES = ['1h', 'night', '24h', '7d'] as const satisfies readonly Span[];

export function OverviewPage() {
  const say = useSay();
  const { zone } = usePrefs();
  const { span: asked } = useSearch({ from: '/shell/' });
  const span = spanOf(asked, CHOICES, '24h');
  const navigate = useNavigate({ from: '/' });
  const found = useQuery({
    ...overview({ name: `${span} ${zone}`, begin: () => begin(span, Date.now(), zoneOf(zone)) }),
    placeholderData: (before) => before,
  });
  const beginning = found.data ? steps(found.data) : [];
  return (
    <>
      <h1 className="sr">{say('place.overview')}</h1>
      {!found.data ? (
        <Unseen query={found} what="place.overview" rows={12} />
      ) : (
        <div className={s.page}>
          {found.data.jobs > 0 && (
            <Band of={found.data} span={span}>
              <Segmented
                label={say('overview.span')}
                of={CHOICES.map((id) => ({ id, text: say(`span.${id}`) }))}
                value={span}
                onChange={(to) => void navigate({ search: (before) => ({ ...before, span: to }) })}
              />
            </Band>
          )}
          {beginning.length > 0 && <FirstSteps steps={beginning} />}
          {found.data.jobs > 0 && (
            <>
              <Attention of={found.data} />
              <Upcoming />
            </>
          )}
        </div>
      )}
    </>
  );
}

/** All that was due, in one line that balances. */
function Band({ of, span, children }: { of: Overview; span: Span; children: ReactNode }) {
  const say = useSay();
  const { balance } = of;
  const link = (term: Term, props: { className: string; children: ReactNode }) =>
    term === 'running' ? (
      <Link to="/fleet" {...props} />
    ) : term === 'unaccounted' ? undefined : (
      <Link to="/runs" search={{ q: `outcome:${term}`, span }} {...props} />
    );
  return (
    <section className={s.band} aria-label={say('overview.band')}>
      <div className={s.head}>
        <p className={s.say}>
          <Say
            id="overview.since"
            values={{ projects: of.projects }}
            parts={{
              at: (
                <b>
                  <Instant at={of.from} />
                </b>
              ),
              ago: <Ago at={of.from} />,
            }}
          />
        </p>
        {balance && <Balanced of={balance} />}
        <div className={s.right}>{children}</div>
      </div>
      {balance ? <BalanceLine of={balance} link={link} /> : <p className="mid">{say('overview.noBalance')}</p>}
    </section>
  );
}

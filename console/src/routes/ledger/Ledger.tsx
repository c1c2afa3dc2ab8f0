/** The ledger of a job: every instant that was due, what became of it, and what was done to the job meanwhile. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type ReactNode, useEffect, useMemo } from 'react';
import type { Schemas } from '../../api/client';
import { changes, ledger, losses } from '../../api/history';
import { job, versions } from '../../api/queries';
import { usePrefs, zoneOf } from '../../look/prefs';
import { added, type Term, TERMS } from '../../parts/balance';
import { Balanced, BalanceLine } from '../../parts/Balance';
import { Button } from '../../parts/Button';
import { Icon } from '../../parts/Glyph';
import { useHeld } from '../../parts/held';
import { Panel } from '../../parts/Panel';
import { Segmented } from '../../parts/Segmented';
import { Empty, More, Unseen } from '../../parts/States';
import { Instant } from '../../parts/Times';
import { Say, useSay } from '../../words/say';
import { begin, spanFor, spanOf } from '../../words/spans';
import { useJobName } from '../job/Layout';
import { useNext } from '../job/settings';
import s from './Ledger.module.css';
import { LedgerRow } from './Line';
import { has, type MarkRow, rows } from './rows';

const CHOICES = ['10m', '1h', '24h', '7d', '30d'] as const;
/** How many fires somebody reads at once. */
const READ = 300;
/** How many pages are loaded without being asked for. */
const AT_ONCE = 10;

export function JobLedger() {
  const name = useJobName();
  const { data } = useQuery(job(name));
  const next = useNext(data);
  // A job without a schedule has no next fire to wait for.
  if (!data || next.isLoading) return null;
  return <Spanned usual={spanFor(next.data?.fires ?? [], READ, CHOICES, '24h')} />;
}

function Spanned({ usual }: { usual: (typeof CHOICES)[number] }) {
  const say = useSay();
  const name = useJobName();
  const { zone } = usePrefs();
  const { span: asked, outcome } = useSearch({ from: '/shell/jobs/$project/$job/ledger' });
  const navigate = useNavigate({ from: '/jobs/$project/$job/ledger' });
  const span = spanOf(asked, CHOICES, usual);
  const term = TERMS.find((term) => term === outcome);
  const since = { name: span, begin: () => begin(span, Date.now(), zoneOf(zone)) };
  const query = ledger(name, since);
  const { held, waits, renew } = useHeld(query.queryKey);
  const list = useInfiniteQuery({ ...query, enabled: !held });
  const around = useQuery(changes(name, since)).data;
  const made = useInfiniteQuery(versions(name)).data;
  const lost = useQuery(losses(name.project, since)).data ?? [];
  const pages = list.data?.pages;
  const { hasNextPage, isFetching, fetchNextPage } = list;
  const loaded = pages?.length ?? 0;
  // It is told oldest first and read newest first: all of a span is there before somebody reads on, unless it is very much.
  useEffect(() => {
    if (hasNextPage && !isFetching && loaded < AT_ONCE) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage, loaded]);
  const from = pages?.[0]?.asked.from;
  const all = useMemo(() => {
    if (!pages || from === undefined) return [];
    const until = Math.max(...pages.map(({ to }) => Date.parse(to)));
    const marks: MarkRow[] = [
      ...(around?.items ?? []).map((change) => ({ kind: 'mark' as const, at: Date.parse(change.at), change })),
      ...(made?.pages ?? []).flatMap((page) => page.items).map((version) => ({ kind: 'version' as const, at: Date.parse(version.at), version })),
    ];
    const within = marks.filter(({ at }) => at >= from && (at < until || !list.hasNextPage));
    return rows(pages.flatMap((page) => page.settled), pages.flatMap((page) => page.open), within);
  }, [pages, from, around, made, list.hasNextPage]);
  const shown = term ? all.filter((row) => has(row, term)) : all;
  const balances = pages?.map(({ balance }) => balance);
  const balance = balances?.every((one) => one != null) ? added(balances) : undefined;
  const link = (to: Term, props: { className: string; children: ReactNode }) => (
    <Link from="/jobs/$project/$job/ledger" to="." search={(before) => ({ ...before, outcome: to === term ? undefined : to })} aria-current={to === term ? 'true' : undefined} {...props} />
  );
  const begins = pages?.[0]?.beginsAt;
  return (
    <>
      <div className={s.tools}>
        {balance && <BalanceLine of={balance} small partial={list.hasNextPage} link={link} />}
        {balance && <Balanced of={balance} />}
        <div className={s.right}>
          {term && (
            <Button small look="quiet" onPress={() => void navigate({ search: (before) => ({ ...before, outcome: undefined }) })}>
              <Icon shape="i-x" />
              {say('ledger.all')}
            </Button>
          )}
          <Segmented
            label={say('overview.span')}
            of={CHOICES.map((id) => ({ id, text: say(`span.${id}`) }))}
            value={span}
            onChange={(to) => void navigate({ search: (before) => ({ ...before, span: to }) })}
          />
        </div>
      </div>
      {lost.length > 0 && <Lost of={lost} />}
      <Panel
        title={say('tab.ledger')}
        side={
          waits ? (
            <Button small onPress={renew}>
              <Icon shape="i-retry" />
              {say('runs.newer')}
            </Button>
          ) : (
            from !== undefined && (
              <span>
                <Say id="ledger.since" parts={{ at: <Instant at={new Date(from).toISOString()} /> }} />
              </span>
            )
          )
        }
      >
        {!pages ? (
          <Unseen query={list} what="tab.ledger" rows={10} />
        ) : shown.length === 0 ? (
          <Empty title={say(term ? 'ledger.noneSuch' : 'ledger.none')} />
        ) : (
          <>
            <div className={`${s.row} ${s.names} hide-m`} aria-hidden="true">
              <span>{say('run.due')}</span>
              <span>{say('ledger.items')}</span>
              <span>{say('ledger.became')}</span>
              <span className={s.num}>{say('run.took')}</span>
              <span className={s.num}>{say('run.late')}</span>
            </div>
            <ol className={s.rows}>
              {shown.map((row, index) => (
                <LedgerRow key={`${row.kind} ${row.at} ${index}`} of={row} name={name} />
              ))}
            </ol>
          </>
        )}
        <More list={list} />
      </Panel>
      {begins && from !== undefined && Date.parse(begins) > from && (
        <p className={s.fine}>
          <Say id="ledger.begins" parts={{ at: <Instant at={begins} /> }} />
        </p>
      )}
    </>
  );
}

/** What the store could not keep: said where one would look for it. */
function Lost({ of }: { of: readonly Schemas['Lost'][] }) {
  const say = useSay();
  const events = of.reduce((sum, one) => sum + one.settlements + one.failures + one.executions + one.statuses, 0);
  const [newest] = of;
  return (
    <p className={s.lost} role="note">
      {say('ledger.lost', { count: events })}{' '}
      {newest && (
        <>
          <Instant at={newest.from} seconds /> – <Instant at={newest.to} seconds /> <bdi>{newest.reason}</bdi>
        </>
      )}
    </p>
  );
}

/** The list of jobs: every job that one may see, found by words, ordered by what needs somebody. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useState } from 'react';
import { canAnywhere } from '../../api/can';
import { jobCount, jobs, session } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import { Icon } from '../../parts/Glyph';
import { Empty, Unseen } from '../../parts/States';
import { QueryBar } from '../../query/QueryBar';
import { count } from '../../words/format';
import { useSay } from '../../words/say';
import { Facets } from './Facets';
import { Grid } from './Grid';
import s from './Jobs.module.css';
import { Selected } from './Selected';
import { rowKey, USUAL } from './search';

export function JobsPage() {
  const say = useSay();
  const { language } = usePrefs();
  const { q = '', sort = USUAL } = useSearch({ from: '/shell/jobs' });
  const navigate = useNavigate({ from: '/jobs' });
  const list = useInfiniteQuery({ ...jobs(q, sort), placeholderData: (before) => before });
  const all = useQuery(jobCount(''));
  const me = useQuery(session).data;
  const found = list.data?.pages[0]?.count;
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [isAll, setAll] = useState(false);
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const chosen = rows.filter((row) => picked.has(rowKey(row)));
  const clear = () => {
    setPicked(new Set());
    setAll(false);
  };
  const pick = useCallback((keys: readonly string[], isOn: boolean) => {
    setPicked((before) => {
      const next = new Set(before);
      for (const key of keys) {
        if (isOn) next.add(key);
        else next.delete(key);
      }
      return next;
    });
    setAll(false);
  }, []);

  // Typing replaces the step that one would go back to; a facet is a step of its own.
  const search = (text: string, replace: boolean) =>
    void navigate({ search: (before) => ({ ...before, q: text || undefined }), replace });
  return (
    <>
      <div className={s.head}>
        <h1>
          {say('jobs.title')} {found !== undefined && <span className={s.of}>{count(found, language)}</span>}{' '}
          {found !== undefined && all.data !== undefined && found !== all.data && (
            <small className="dim hide-m">{say('jobs.ofAll', { count: count(all.data, language) })}</small>
          )}
        </h1>
        {canAnywhere(me, 'job.write') && (
          <Link to="/jobs/new" className={s.new}>
            <Icon shape="i-plus" />
            {say('new.title')}
          </Link>
        )}
      </div>
      <QueryBar of="jobs" q={q} onChange={(text) => search(text, true)} found={found} />
      <Facets q={q} onChange={(text) => search(text, false)} />
      <div className={s.panel}>
        {!list.data ? (
          <Unseen query={list} what="place.jobs" rows={12} />
        ) : found === 0 ? (
          <Nothing q={q} />
        ) : (
          <Grid
            pages={list.data.pages}
            count={found ?? 0}
            sort={sort}
            picked={canAnywhere(me, 'job.operate') ? picked : undefined}
            onPick={pick}
            onSort={(by) => void navigate({ search: (before) => ({ ...before, sort: by }) })}
            onEnd={() => {
              if (list.hasNextPage && !list.isFetching) void list.fetchNextPage();
            }}
          />
        )}
      </div>
      {chosen.length > 0 && (
        <Selected
          jobs={chosen.map(({ project, name }) => ({ project, name }))}
          q={q}
          found={found ?? 0}
          isAll={isAll}
          onAll={() => setAll(true)}
          onClear={clear}
        />
      )}
    </>
  );
}

/** Nothing exists, or nothing matches. */
function Nothing({ q }: { q: string }) {
  const say = useSay();
  if (q) return <Empty title={say('jobs.noneMatch', { q })} />;
  return (
    <Empty title={say('jobs.none')}>
      <p className="mid">{say('jobs.noneSay')}</p>
      <pre>
        <code>{COMMANDS}</code>
      </pre>
    </Empty>
  );
}

/** How a first job is made. */
const COMMANDS = `clockwright project create billing
clockwright job create -f jobs.yaml`;

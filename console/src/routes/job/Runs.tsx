/** The runs of a job: its outcomes, or each attempt at them. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type Attempt, attempts } from '../../api/history';
import { usePrefs } from '../../look/prefs';
import { OUTCOMES, RUNNING } from '../../parts/Glyph';
import { useHeld } from '../../parts/held';
import p from '../../parts/Page.module.css';
import { Source } from '../../parts/Run';
import { Segmented } from '../../parts/Segmented';
import { Signed } from '../../parts/Signed';
import { Empty, More, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { Instant, None } from '../../parts/Times';
import { QueryBar } from '../../query/QueryBar';
import { duration } from '../../words/format';
import { useSay } from '../../words/say';
import { OutcomeFacets } from '../runs/Page';
import { type Chosen, chosenOf, RunList, Spans, useSince } from '../runs/RunList';
import s from '../runs/Runs.module.css';
import { useJobName } from './Layout';

const VIEWS = ['outcomes', 'attempts'] as const;

export function JobRuns() {
  const say = useSay();
  const name = useJobName();
  const { q = '', span, attempts: each } = useSearch({ from: '/shell/jobs/$project/$job/runs' });
  const navigate = useNavigate({ from: '/jobs/$project/$job/runs' });
  const chosen = chosenOf(span);
  const view = each ? 'attempts' : 'outcomes';
  const search = (text: string, replace: boolean) =>
    void navigate({ search: (before) => ({ ...before, q: text || undefined }), replace });
  return (
    <>
      <div className={s.tools}>
        <Segmented
          label={say('runs.view')}
          of={VIEWS.map((id) => ({ id, text: say(`runs.${id}`) }))}
          value={view}
          onChange={(to) => void navigate({ search: (before) => ({ ...before, attempts: to === 'attempts' ? '1' : undefined }) })}
        />
        <Spans value={chosen} onChange={(to) => void navigate({ search: (before) => ({ ...before, span: to === 'all' ? undefined : to }) })} />
      </div>
      {view === 'outcomes' && (
        <>
          <QueryBar of="runs" q={q} onChange={(text) => search(text, true)} found={undefined} />
          <OutcomeFacets q={q} onChange={(text) => search(text, false)} />
        </>
      )}
      <div className={p.panel}>{view === 'outcomes' ? <RunList name={name} q={q} span={chosen} /> : <Attempts span={chosen} />}</div>
    </>
  );
}

function Attempts({ span }: { span: Chosen }) {
  const say = useSay();
  const name = useJobName();
  const asked = attempts(name, useSince(span));
  const { held } = useHeld(asked.queryKey);
  const list = useInfiniteQuery({ ...asked, enabled: !held });
  if (!list.data) return <Unseen query={list} what="runs.attempts" rows={12} />;
  const all = list.data.pages.flatMap((page) => page.items);
  if (all.length === 0) return <Empty title={say('runs.noAttempts')} />;
  return (
    <>
      {list.data.pages[0]?.shared && <p className={s.shared}>{say('runs.shared')}</p>}
      <Table
        size="wide"
        of={[
          { word: 'run.started', width: 160 },
          { word: 'run.item', width: 56, isNumber: true },
          { word: 'run.state', width: 118 },
          { word: 'run.source', width: 96 },
          { word: 'run.host', width: 190 },
          { word: 'run.cause' },
          { word: 'run.took', width: 84, isNumber: true },
        ]}
      >
        {all.map((attempt) => (
          <Line key={attempt.run} of={attempt} />
        ))}
      </Table>
      <More list={list} />
    </>
  );
}

function Line({ of }: { of: Attempt }) {
  const say = useSay();
  const { language } = usePrefs();
  const sign = of.state === 'running' ? RUNNING : OUTCOMES[of.state];
  const took = of.startedAt && of.endedAt ? Date.parse(of.endedAt) - Date.parse(of.startedAt) : undefined;
  return (
    <tr>
      <td>
        <Link className="link" to="/runs/$id" params={{ id: of.run }}>
          {of.startedAt ? <Instant at={of.startedAt} seconds /> : say('run.notStarted')}
        </Link>
      </td>
      <td className={t.num}>{of.item}</td>
      <td>
        <Signed sign={sign} word={of.state} />
      </td>
      <td>
        <Source of={of.source} />
      </td>
      <td>
        <bdi>{of.ip}</bdi> <bdi className="dim">{of.hostname}</bdi>
      </td>
      <td title={of.cause ?? undefined}>{of.cause ? <bdi>{of.cause}</bdi> : <None />}</td>
      <td className={t.num}>{took === undefined ? <None /> : duration(took, language)}</td>
    </tr>
  );
}

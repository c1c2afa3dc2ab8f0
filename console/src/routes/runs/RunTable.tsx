/** Outcomes as rows: what was due, what became of it, and why. */
import { Link } from '@tanstack/react-router';
import type { Run } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import p from '../../parts/Page.module.css';
import { FireLink, late, Outcome, Source, took, useReason } from '../../parts/Run';
import t from '../../parts/Table.module.css';
import { Instant, None } from '../../parts/Times';
import { count, duration } from '../../words/format';
import { useSay } from '../../words/say';

interface Props {
  runs: readonly Run[];
  /** The project, where all are of one; each says its own otherwise, and its job. */
  project?: string;
}

export function RunTable({ runs, project }: Props) {
  const say = useSay();
  return (
    <div className={t.scroll}>
      <table className={`${t.tbl} ${project ? p.mid : p.wide}`}>
        <thead>
          <tr>
            <th style={{ width: 150 }}>{say('run.due')}</th>
            {!project && <th style={{ width: 220 }}>{say('run.job')}</th>}
            <th style={{ width: 56 }} className={t.num}>
              {say('run.item')}
            </th>
            <th style={{ width: 118 }}>{say('run.outcome')}</th>
            <th style={{ width: 96 }}>{say('run.source')}</th>
            <th>{say('run.reason')}</th>
            <th style={{ width: 84 }} className={t.num}>
              {say('run.late')}
            </th>
            <th style={{ width: 84 }} className={t.num}>
              {say('run.took')}
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <Line key={`${run.project ?? ''}/${run.job} ${run.fire} ${run.item}`} run={run} project={project} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Line({ run, project }: { run: Run; project: string | undefined }) {
  const say = useSay();
  const { language } = usePrefs();
  const text = useReason()(run);
  const of = project ?? run.project ?? undefined;
  return (
    <tr>
      <td>
        <FireLink project={of} job={run.job} id={run.fire} item={run.item}>
          <Instant at={run.fireAt} seconds />
        </FireLink>
      </td>
      {!project && (
        <td>
          {of ? (
            <Link to="/jobs/$project/$job" params={{ project: of, job: run.job }}>
              <bdi className="dim">{of}</bdi>
              <span className="dim">/</span>
              <bdi>{run.job}</bdi>
            </Link>
          ) : (
            <bdi>{run.job}</bdi>
          )}
        </td>
      )}
      <td className={t.num}>{run.item}</td>
      <td>
        <Outcome of={run.outcome} />
      </td>
      <td>
        <Source of={run.source} />
      </td>
      <td title={text}>
        {run.count > 1 && <span className="dim">{say('run.range', { count: run.count, shown: count(run.count, language) })} </span>}
        {text ? <bdi>{text}</bdi> : run.count === 1 && <None />}
      </td>
      <td className={t.num}>
        <Length ms={late(run)} />
      </td>
      <td className={t.num}>
        <Length ms={took(run)} />
      </td>
    </tr>
  );
}

function Length({ ms }: { ms: number | undefined }) {
  const { language } = usePrefs();
  return ms === undefined ? <None /> : duration(ms, language);
}

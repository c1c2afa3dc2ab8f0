/** Outcomes as rows: what was due, what became of it, and why. */
import type { Run } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import { JobLink } from '../../parts/JobLink';
import { FireLink, late, Outcome, Source, took, useReason } from '../../parts/Run';
import { Table } from '../../parts/Table';
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
  return (
    <Table
      size={project ? 'mid' : 'wide'}
      of={[
        { word: 'run.due', width: 150 },
        ...(project ? [] : [{ word: 'run.job', width: 220 } as const]),
        { word: 'run.item', width: 56, isNumber: true },
        { word: 'run.outcome', width: 118 },
        { word: 'run.source', width: 96 },
        { word: 'run.reason' },
        { word: 'run.late', width: 84, isNumber: true },
        { word: 'run.took', width: 84, isNumber: true },
      ]}
    >
      {runs.map((run) => (
        <Line key={`${run.project ?? ''}/${run.job} ${run.fire} ${run.item}`} run={run} project={project} />
      ))}
    </Table>
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
            <JobLink project={of} job={run.job} />
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

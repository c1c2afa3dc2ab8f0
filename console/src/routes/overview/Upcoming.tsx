/** What comes within a day: how much in each minute, and which jobs first. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { upcoming, upcomingJobs } from '../../api/history';
import { usePrefs, zoneOf } from '../../look/prefs';
import { JobLink } from '../../parts/JobLink';
import { Panel } from '../../parts/Panel';
import { Empty, Unseen } from '../../parts/States';
import { Instant, Until } from '../../parts/Times';
import { clock, count } from '../../words/format';
import { useSay } from '../../words/say';
import { type Heat, heat, SHADES } from './heat';
import s from './Overview.module.css';

/** How many jobs are listed. */
const LISTED = 6;

export function Upcoming() {
  const say = useSay();
  const { zone: choice, language } = usePrefs();
  const zone = zoneOf(choice);
  const day = useQuery(upcoming);
  const drawn = day.data && heat(day.data.items, Date.parse(day.data.from), zone);
  const peak = drawn?.peak;
  return (
    <Panel
      title={say('upcoming.title')}
      side={peak && say('upcoming.peak', { at: clock(peak.at, zone).slice(0, 5), count: count(peak.items, language) })}
    >
      {!drawn ? (
        <Unseen query={day} what="upcoming.title" />
      ) : peak ? (
        <>
          <Map of={drawn} zone={zone} />
          <First />
        </>
      ) : (
        <Empty title={say('upcoming.none')} />
      )}
    </Panel>
  );
}

/** Sizes of the picture, in its own units. */
const LEFT = 22;
const TOP = 14;
const STEP = 6;
const CELL = 5;

function Map({ of, zone }: { of: Heat; zone: string }) {
  const say = useSay();
  const { language } = usePrefs();
  const width = LEFT + 60 * STEP;
  const height = TOP + of.hours.length * STEP;
  const x = (column: number) => LEFT + column * STEP;
  const y = (row: number) => TOP + row * STEP;
  const label = of.peak
    ? say('upcoming.label', { at: clock(of.peak.at, zone).slice(0, 5), count: count(of.peak.items, language) })
    : say('upcoming.none');
  // One path a shade: a day has 1,440 minutes.
  const paths = Array.from({ length: SHADES }, (_, index) =>
    of.cells
      .filter(({ shade }) => shade === index + 1)
      .map(({ row, column }) => `M${x(column)} ${y(row)}h${CELL}v${CELL}h-${CELL}z`)
      .join(''),
  );
  return (
    <div className={s.heat}>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
        {[0, 10, 20, 30, 40, 50].map((minute) => (
          <text key={minute} x={x(minute)} y={9}>
            {`:${String(minute).padStart(2, '0')}`}
          </text>
        ))}
        {of.hours.map((hour, row) =>
          row % 3 === 0 ? (
            <text key={row} x={0} y={y(row) + 5.5}>
              {String(hour).padStart(2, '0')}
            </text>
          ) : null,
        )}
        {paths.map((path, index) => path && <path key={index} d={path} fill={`var(--h${index + 1})`} />)}
        {of.peak && <rect x={x(of.peak.column) - 0.5} y={y(of.peak.row) - 0.5} width={STEP} height={STEP} className={s.peak} />}
        <path d={`M${x(of.now) - 0.5} ${y(0) - 2}v${STEP + 2}`} className={s.now} />
      </svg>
    </div>
  );
}

/** The jobs that fire first. */
function First() {
  const say = useSay();
  const { language } = usePrefs();
  const jobs = useQuery(upcomingJobs(LISTED));
  if (!jobs.data) return <Unseen query={jobs} what="upcoming.title" rows={4} />;
  return (
    <ol className={s.next}>
      {jobs.data.items.map(({ project, job, fireAt, items, fires }) => (
        <li key={`${project}/${job}`}>
          <b className={s.in}>
            <Until at={fireAt} />
          </b>
          <span className="el">
            <JobLink project={project} job={job} />{' '}
            <span className="dim">{say('upcoming.times', { count: fires, shown: count(fires, language), items })}</span>
          </span>
          <Instant at={fireAt} />
        </li>
      ))}
      {jobs.data.count > jobs.data.items.length && (
        <li className={s.rest}>
          <Link to="/jobs" search={{ q: 'next:<1d', sort: 'next' }} className="link">
            {say('upcoming.more', { count: jobs.data.count - jobs.data.items.length })}
          </Link>
        </li>
      )}
    </ol>
  );
}

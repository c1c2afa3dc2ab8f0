/** A job: its name, its state, when it fires, and its tabs. */
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useParams } from '@tanstack/react-router';
import { ActBar } from '../../act/Bar';
import { useOffers } from '../../act/use';
import { job, type JobName, live } from '../../api/queries';
import { asProblem } from '../../api/problem';
import { usePrefs } from '../../look/prefs';
import { Boundary } from '../../parts/Boundary';
import { Glyph, signOf } from '../../parts/Glyph';
import { Empty, Unseen } from '../../parts/States';
import { Ago, hasSeconds, Instant, Until } from '../../parts/Times';
import { Say, useSay } from '../../words/say';
import s from './Job.module.css';
import { useJobKeys } from './keys';
import { settingOf, useNext } from './settings';

/** The job of the address. */
export function useJobName(): JobName {
  return useParams({ from: '/shell/jobs/$project/$job' });
}

export function JobLayout() {
  const name = useJobName();
  const found = useQuery(job(name));
  const say = useSay();
  useJobKeys(name);
  if (!found.data) {
    if (found.isError && asProblem(found.error).code === 'not-found') return <Gone name={name} />;
    return <Unseen query={found} what="job.one" />;
  }
  return (
    <>
      <Head name={name} />
      <nav className={s.tabs} aria-label={say('job.tabs')}>
        <Link to="/jobs/$project/$job" params={name} activeOptions={{ exact: true }} activeProps={CURRENT}>
          {say('tab.overview')}
        </Link>
        <Link to="/jobs/$project/$job/runs" params={name} activeProps={CURRENT}>
          {say('tab.runs')}
        </Link>
        <Link to="/jobs/$project/$job/shards" params={name} activeProps={CURRENT}>
          {say('tab.shards')}
        </Link>
        <Link to="/jobs/$project/$job/ledger" params={name} activeProps={CURRENT}>
          {say('tab.ledger')}
        </Link>
        <Link to="/jobs/$project/$job/schedule" params={name} activeProps={CURRENT}>
          {say('tab.schedule')}
        </Link>
        <Link to="/jobs/$project/$job/settings" params={name} activeProps={CURRENT}>
          {say('tab.settings')}
        </Link>
        <Link to="/jobs/$project/$job/versions" params={name} activeProps={CURRENT}>
          {say('tab.versions')}
          <span className={s.n}>{found.data.version}</span>
        </Link>
      </nav>
      <Boundary key={`${name.project}/${name.job}`}>
        <Outlet />
      </Boundary>
    </>
  );
}

const CURRENT = { 'aria-current': 'page' as const };

function Head({ name }: { name: JobName }) {
  const say = useSay();
  const { language } = usePrefs();
  const { data } = useQuery(job(name));
  const now = useQuery(live(name)).data;
  const next = useNext(data);
  const sign = signOf({ status: now?.status ?? null, running: now?.items.some((item) => item.running) ?? false });
  const zone = data && settingOf(data, 'timeZone');
  const seconds = hasSeconds((data && settingOf(data, 'cron')) ?? '');
  const fires = data?.state === 'online' ? next.data?.fires[0] : undefined;
  return (
    <header className={s.head}>
      <h1>
        <bdi className="dim">{name.project}</bdi>
        <span className="dim">/</span>
        <bdi>{name.job}</bdi>
        <span className={`${s.badge} ${sign.tone}`}>
          <Glyph sign={sign} />
          {say(sign.word)}
        </span>
      </h1>
      <ActBar acts={useOffers(name)} subject={name} />
      {data && (
        <p className={s.say}>
          {next.data && <b>{next.data.sentence[language]}</b>}
          {zone && <span> · {zone}</span>}
          {fires && (
            <>
              {' · '}
              <Say
                id="job.nextIn"
                parts={{
                  time: (
                    <b>
                      <Until at={fires} zone={zone} />
                    </b>
                  ),
                  at: <Instant at={fires} zone={zone} seconds={seconds} />,
                }}
              />
            </>
          )}
          {' · '}
          {say(data.managed === 'files' ? 'job.byFiles' : 'job.byConsole')}
          {' · '}
          <Say
            id="job.version"
            values={{ version: data.version }}
            parts={{ who: <bdi>{data.changedBy}</bdi>, ago: <Ago at={data.changedAt} /> }}
          />
        </p>
      )}
    </header>
  );
}

function Gone({ name }: { name: JobName }) {
  const say = useSay();
  return (
    <Empty title={<h1>{say('job.gone', { ...name })}</h1>}>
      <p className="mid">{say('job.goneSay')}</p>
      <Link className="link" to="/jobs" search={{ q: `project:${name.project}` }}>
        {say('job.goneOthers', { project: name.project })}
      </Link>
    </Empty>
  );
}

/** All about one job on a page: what it does now, how it ended lately, when it fires next. */
import { useQuery } from '@tanstack/react-query';
import { job, live, runs } from '../../api/queries';
import { Facts as Told } from '../../parts/Facts';
import { Panel } from '../../parts/Panel';
import { Empty, Unseen } from '../../parts/States';
import { Ago, hasSeconds, Instant, Until } from '../../parts/Times';
import type { MessageId } from '../../words/ids';
import { Say, useSay } from '../../words/say';
import { RunTable } from '../runs/RunTable';
import s from './Job.module.css';
import { useJobName } from './Layout';
import { settingOf, useNext } from './settings';

/** How many of the newest outcomes are shown. */
const NEWEST = 20;

export function JobOverview() {
  return (
    <div className={s.cols}>
      <div className={s.stack}>
        <Now />
        <Outcomes />
      </div>
      <aside className={s.stack}>
        <Facts />
        <Next />
      </aside>
    </div>
  );
}

/** What it does at this moment: runs, or waits. */
function Now() {
  const say = useSay();
  const name = useJobName();
  const { data } = useQuery(job(name));
  const now = useQuery(live(name));
  const next = useNext(data);
  if (!now.data) return <Unseen query={now} what="job.one" rows={1} />;
  const { items, instances, paused, status, reason: why } = now.data;
  const running = items.filter((item) => item.running).length;
  const fires = data?.state === 'online' ? next.data?.fires[0] : undefined;
  return (
    <>
      {paused && (
        <p className={s.hold}>
          <Say id="job.paused" parts={{ who: <bdi>{paused.by}</bdi>, ago: <Ago at={paused.at} /> }} />
          {paused.reason && <bdi>{paused.reason}</bdi>}
        </p>
      )}
      {status !== 'OK' && why && !paused && (
        <p className={s.hold}>
          <span lang="en">{why}</span>
        </p>
      )}
      <section className={s.live} aria-label={say('job.now')}>
        <span className={s.part}>
          <b>{items.length}</b> {say('job.items', { count: items.length })}
        </span>
        <span className={s.part}>
          <b>{running}</b> {say('job.running')}
        </span>
        <span className={s.part}>
          <b>{instances.length}</b> {say('job.instances', { count: instances.length })}
        </span>
        {fires && (
          <span className={s.part}>
            <Say
              id="job.nextFire"
              parts={{
                time: (
                  <b>
                    <Until at={fires} />
                  </b>
                ),
              }}
            />
          </span>
        )}
      </section>
    </>
  );
}

function Outcomes() {
  const say = useSay();
  const name = useJobName();
  const found = useQuery(runs(name, NEWEST));
  return (
    <Panel title={say('job.outcomes')} side={say('job.outcomesSay', { count: NEWEST })}>
      {!found.data ? (
        <Unseen query={found} what="job.outcomes" />
      ) : found.data.items.length === 0 ? (
        <Empty title={say('job.neverRan')}>
          <p className="mid">{say('job.neverRanSay')}</p>
        </Empty>
      ) : (
        <RunTable runs={found.data.items} project={name.project} />
      )}
    </Panel>
  );
}

function Facts() {
  const say = useSay();
  const name = useJobName();
  const { data } = useQuery(job(name));
  const now = useQuery(live(name)).data;
  if (!data) return null;
  const facts: [MessageId, string | undefined][] = [
    ['fact.kind', settingOf(data, 'elasticJobType')?.toLowerCase()],
    ['fact.cron', settingOf(data, 'cron')],
    ['fact.zone', settingOf(data, 'timeZone')],
    ['fact.items', settingOf(data, 'shardingTotalCount') ?? String(now?.items.length ?? '')],
    ['fact.owner', data.owner],
    ['fact.tags', data.tags.join(' ')],
    ['fact.source', data.source],
    ['fact.layout', now?.layout],
    ['fact.leader', now?.leader ?? undefined],
    ['fact.sync', data.sync.state === 'written' ? say('sync.written') : (data.sync.why ?? data.sync.state)],
  ];
  return (
    <Panel title={say('job.facts')}>
      <Told of={facts.map(([word, value]) => [word, value && <bdi>{value}</bdi>] as const)} />
    </Panel>
  );
}

function Next() {
  const say = useSay();
  const name = useJobName();
  const { data } = useQuery(job(name));
  const next = useNext(data);
  const zone = data && settingOf(data, 'timeZone');
  const seconds = hasSeconds((data && settingOf(data, 'cron')) ?? '');
  if (!next.data) return null;
  return (
    <Panel title={say('job.next')}>
      {next.data.fires.length === 0 ? (
        <Empty title={say('job.neverFires')} />
      ) : (
        <ol className={s.next}>
          {next.data.fires.map((at) => (
            <li key={at}>
              <Instant at={at} zone={zone} seconds={seconds} />
              <span className="dim">
                <Until at={at} zone={zone} />
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

/** Every version of a job: who made it, when, why; and what differs between any two. Which two stands in the address. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useId } from 'react';
import { Differences } from '../../act/Differences';
import { can } from '../../api/can';
import { differences, job, session, type Version, versions } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Panel } from '../../parts/Panel';
import { Empty, More, Unseen } from '../../parts/States';
import t from '../../parts/Table.module.css';
import { Ago, None } from '../../parts/Times';
import type { MessageId } from '../../words/ids';
import { useSay } from '../../words/say';
import s from './Job.module.css';
import { useJobName } from './Layout';
import { RollBack } from './RollBack';

const ORIGINS: Readonly<Record<string, MessageId>> = {
  console: 'origin.console',
  api: 'origin.api',
  files: 'origin.files',
  adopt: 'origin.adopt',
  rollback: 'origin.rollback',
  import: 'origin.import',
};

export function JobVersions() {
  const say = useSay();
  const name = useJobName();
  const navigate = useNavigate({ from: '/jobs/$project/$job/versions' });
  const search = useSearch({ from: '/shell/jobs/$project/$job/versions' });
  const list = useInfiniteQuery(versions(name));
  const definition = useQuery(job(name)).data;
  const mayChange = can(useQuery(session).data, 'job.write', name.project) && definition?.state !== 'removing';
  if (!list.data) return <Unseen query={list} what="tab.versions" />;
  const all = list.data.pages.flatMap((page) => page.items);
  const newest = all[0]?.version ?? 1;
  const b = Number(search.b) || newest;
  const a = Number(search.a) || Math.max(1, b - 1);
  const roll = (n: number | undefined) => void navigate({ search: (before) => ({ ...before, roll: n === undefined ? undefined : String(n) }) });
  const pick = (change: { a?: number; b?: number }) =>
    void navigate({ search: (before) => ({ ...before, a: String(change.a ?? a), b: String(change.b ?? b) }) });
  return (
    <div className={s.stack}>
      <Panel title={say('versions.diff')}>
        <div className={s.pick}>
          <Pick label={say('versions.from')} value={a} all={all} onPick={(version) => pick({ a: version })} />
          <Pick label={say('versions.to')} value={b} all={all} onPick={(version) => pick({ b: version })} />
        </div>
        <Diff a={a} b={b} />
      </Panel>
      <Panel title={say('tab.versions')}>
        <div className={t.scroll}>
          <table className={`${t.tbl} ${s.wide}`}>
            <thead>
              <tr>
                <th style={{ width: 90 }}>{say('versions.number')}</th>
                <th style={{ width: 130 }}>{say('versions.when')}</th>
                <th style={{ width: 150 }}>{say('versions.who')}</th>
                <th style={{ width: 120 }}>{say('versions.through')}</th>
                <th>{say('versions.why')}</th>
                <th style={{ width: 210 }}>
                  <span className="sr">{say('versions.diff')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {all.map((version) => (
                <Line
                  key={version.version}
                  version={version}
                  onCompare={() => pick({ a: Math.max(1, version.version - 1), b: version.version })}
                  onRollBack={mayChange && version.version < newest ? () => roll(version.version) : undefined}
                />
              ))}
            </tbody>
          </table>
        </div>
        <More list={list} />
      </Panel>
      {definition && <RollBack name={name} definition={definition} to={mayChange ? Number(search.roll) || undefined : undefined} onClose={() => roll(undefined)} />}
    </div>
  );
}

function Line({ version, onCompare, onRollBack }: { version: Version; onCompare: () => void; onRollBack: (() => void) | undefined }) {
  const say = useSay();
  const origin = ORIGINS[version.origin];
  return (
    <tr>
      <td>{version.version}</td>
      <td>
        <Ago at={version.at} />
      </td>
      <td>
        <bdi>{version.by}</bdi>
      </td>
      <td>{origin ? say(origin) : version.origin}</td>
      <td title={version.reason}>{version.reason ? <bdi>{version.reason}</bdi> : <None />}</td>
      <td className={t.num}>
        {version.version > 1 && (
          <Button small look="quiet" onPress={onCompare} aria-label={say('versions.compareOne', { version: version.version })}>
            {say('versions.compare')}
          </Button>
        )}
        {onRollBack && (
          <Button small look="quiet" onPress={onRollBack} aria-label={say('versions.rollBackOne', { version: version.version })}>
            {`${say('versions.rollBack')}…`}
          </Button>
        )}
      </td>
    </tr>
  );
}

interface PickProps {
  label: string;
  value: number;
  all: readonly Version[];
  onPick: (version: number) => void;
}

function Pick({ label, value, all, onPick }: PickProps) {
  const id = useId();
  const numbers = [...new Set([...all.map((version) => version.version), value])].sort((one, other) => other - one);
  return (
    <>
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onPick(Number(event.target.value))}>
        {numbers.map((number) => (
          <option key={number}>{number}</option>
        ))}
      </select>
    </>
  );
}

function Diff({ a, b }: { a: number; b: number }) {
  const say = useSay();
  const name = useJobName();
  const found = useQuery({ ...differences(name, a, b), enabled: a !== b });
  if (a === b) return <Empty title={say('versions.same', { version: a })} />;
  if (!found.data) return <Unseen query={found} what="versions.diff" rows={2} />;
  if (found.data.length === 0) return <Empty title={say('versions.noDifference', { a, b })} />;
  return <Differences all={found.data} before={say('versions.before', { version: a })} after={say('versions.after', { version: b })} />;
}

/** One host of a project: the processes on it, and the jobs that know it. */
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { host } from '../../api/fleet';
import { STATUSES } from '../../parts/Glyph';
import p from '../../parts/Page.module.css';
import { Panel } from '../../parts/Panel';
import { Signed } from '../../parts/Signed';
import { Empty, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { None } from '../../parts/Times';
import { useSay } from '../../words/say';
import s from './Fleet.module.css';
import { Kind } from './Kind';

type On = Schemas['HostPage'];

export function HostPage() {
  const say = useSay();
  const { project, ip } = useParams({ from: '/shell/fleet/hosts/$project/$ip' });
  const found = useQuery(host(project, ip));
  return (
    <>
      <div className={p.head}>
        <h1>
          {say('fleet.hostOne')} <bdi className="mono">{ip}</bdi> <bdi className="dim">{project}</bdi>
        </h1>
      </div>
      {found.data ? (
        <div className={s.stack}>
          <Processes of={found.data.instances} />
          <Jobs of={found.data.jobs} project={project} />
        </div>
      ) : (
        <Unseen query={found} what="fleet.hostOne" />
      )}
    </>
  );
}

function Processes({ of }: { of: On['instances'] }) {
  const say = useSay();
  return (
    <Panel title={say('fleet.instances')}>
      {of.length === 0 ? (
        <Empty title={say('fleet.noProcess')} />
      ) : (
        <Table
          size="mid"
          of={[
            { word: 'fleet.instance' },
            { word: 'fleet.kind', width: 120 },
            { word: 'fleet.jobs', width: 90, isNumber: true },
            { word: 'fleet.items', width: 90, isNumber: true },
          ]}
        >
          {of.map(({ id, kind, jobs, items }) => (
            <tr key={id}>
              <td>
                <Link className="link" to="/fleet/instances/$id" params={{ id }}>
                  <bdi className="mono">{id}</bdi>
                </Link>
              </td>
              <td>
                <Kind of={kind} />
              </td>
              <td className={t.num}>{jobs}</td>
              <td className={t.num}>{items}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

function Jobs({ of, project }: { of: On['jobs']; project: string }) {
  const say = useSay();
  return (
    <Panel title={say('fleet.jobs')}>
      {of.length === 0 ? (
        <Empty title={say('fleet.servesNone')} />
      ) : (
        <Table
          size="mid"
          of={[
            { word: 'run.job', width: '34%' },
            { word: 'run.state', width: 150 },
            { word: 'fleet.here' },
            { word: 'fleet.instances', width: 90, isNumber: true },
            { word: 'fleet.items', width: 90, isNumber: true },
            { word: 'fleet.running', width: 90, isNumber: true },
          ]}
        >
          {of.map((job) => {
            const sign = STATUSES[job.status];
            return (
              <tr key={job.name}>
                <td>
                  <Link to="/jobs/$project/$job" params={{ project, job: job.name }}>
                    <bdi>{job.name}</bdi>
                  </Link>
                </td>
                <td>
                  <Signed sign={sign} word={job.status} />
                </td>
                <td>{job.enabled ? say('fleet.enabled') : <b className="miss t">{say('status.disabled')}</b>}</td>
                <td className={t.num}>{job.instances}</td>
                <td className={t.num}>{job.items}</td>
                <td className={t.num}>{job.running || <None />}</td>
              </tr>
            );
          })}
        </Table>
      )}
    </Panel>
  );
}

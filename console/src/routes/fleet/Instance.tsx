/** One process: what it serves in each project, and of each job what it holds and runs. */
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useRef } from 'react';
import { instance } from '../../api/fleet';
import { asProblem } from '../../api/problem';
import { Copy } from '../../parts/Copy';
import { Facts } from '../../parts/Facts';
import { JobLink } from '../../parts/JobLink';
import p from '../../parts/Page.module.css';
import { Panel } from '../../parts/Panel';
import { Yes } from '../../parts/Signed';
import { Empty, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { Ago, Instant, None } from '../../parts/Times';
import { useSay } from '../../words/say';
import s from './Fleet.module.css';
import { Kind } from './Kind';

export function InstancePage() {
  const say = useSay();
  const { id } = useParams({ from: '/shell/fleet/instances/$id' });
  const found = useQuery(instance(id));
  const text = useRef<HTMLElement>(null);
  const isGone = found.isError && asProblem(found.error).code === 'not-found';
  return (
    <>
      <div className={p.head}>
        <h1>
          {say('fleet.instanceOne')} <bdi className="dim mono" ref={text}>{id}</bdi>
        </h1>
        <div className={p.acts}>
          <Copy text={id} from={text} />
        </div>
      </div>
      {isGone ? (
        <Empty title={say('fleet.gone')}>
          <p className="mid">{say('fleet.goneSay')}</p>
          <Link className="link" to="/fleet">
            {say('fleet.all')}
          </Link>
        </Empty>
      ) : found.data ? (
        <div className={s.stack}>
          {found.data.instances.map((one) => (
            <Panel key={one.project} title={<bdi>{one.project}</bdi>}>
              <Facts
                of={[
                  ['fleet.kind', <Kind key="k" of={one.kind} />],
                  [
                    'fleet.host',
                    <Link key="h" className="link" to="/fleet/hosts/$project/$ip" params={{ project: one.project, ip: one.ip }}>
                      <bdi>{one.ip}</bdi>
                    </Link>,
                  ],
                  ['fleet.since', <span key="s"><Instant at={one.since} seconds /> · <Ago at={one.since} /></span>],
                  ['fleet.jobs', one.jobs],
                  ['fleet.leads', one.leads],
                  ['fleet.items', one.items],
                  ['fleet.running', one.running],
                ]}
              />
            </Panel>
          ))}
          <Panel title={say('fleet.serves')}>
            {found.data.jobs.length === 0 ? (
              <Empty title={say('fleet.servesNone')} />
            ) : (
              <Table
                size="mid"
                of={[
                  { word: 'run.job', width: '40%' },
                  { word: 'fleet.leader', width: 90 },
                  { word: 'fleet.holds' },
                  { word: 'fleet.runs' },
                ]}
              >
                {found.data.jobs.map(({ project, job, leader, items, running }) => (
                  <tr key={`${project}/${job}`}>
                    <td>
                      <JobLink project={project} job={job} />
                    </td>
                    <td>
                      {leader ? (
                        <Yes />
                      ) : (
                        <None />
                      )}
                    </td>
                    <td className={t.wrap}>{items.length ? items.join(say('list.comma')) : <None />}</td>
                    <td className={t.wrap}>{running.length ? <b className="run t">{running.join(say('list.comma'))}</b> : <None />}</td>
                  </tr>
                ))}
              </Table>
            )}
          </Panel>
        </div>
      ) : (
        <Unseen query={found} what="fleet.instanceOne" />
      )}
    </>
  );
}

/** The fleet: the processes that run jobs, and the hosts that they are on. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type FleetHost, type FleetInstance, hosts, instances } from '../../api/fleet';
import { usePrefs } from '../../look/prefs';
import { Finder } from '../../parts/Finder';
import p from '../../parts/Page.module.css';
import { Segmented } from '../../parts/Segmented';
import { Empty, More, Unseen } from '../../parts/States';
import t from '../../parts/Table.module.css';
import { Ago, None } from '../../parts/Times';
import { count } from '../../words/format';
import { useSay } from '../../words/say';
import { Kind } from './Kind';

const VIEWS = ['instances', 'hosts'] as const;

export function FleetPage() {
  const say = useSay();
  const { view: asked, q = '' } = useSearch({ from: '/shell/fleet' });
  const navigate = useNavigate({ from: '/fleet' });
  const view = asked === 'hosts' ? 'hosts' : 'instances';
  return (
    <>
      <div className={p.head}>
        <h1>{say('place.fleet')}</h1>
        <div className={p.acts}>
          <Finder label={say('fleet.find')} value={q} onChange={(text) => void navigate({ search: (before) => ({ ...before, q: text || undefined }), replace: true })} />
          <Segmented
            label={say('fleet.view')}
            of={VIEWS.map((id) => ({ id, text: say(`fleet.${id}`) }))}
            value={view}
            onChange={(to) => void navigate({ search: (before) => ({ ...before, view: to === 'hosts' ? to : undefined }) })}
          />
        </div>
      </div>
      <div className={p.panel}>{view === 'hosts' ? <Hosts q={q} /> : <Instances q={q} />}</div>
    </>
  );
}

function Nothing({ q }: { q: string }) {
  const say = useSay();
  return (
    <Empty title={say(q ? 'fleet.noneMatch' : 'fleet.none', { q })}>
      {!q && (
        <>
          <p className="mid">{say('first.instanceSay')}</p>
          <pre tabIndex={0}>
            <code>{COMMAND}</code>
          </pre>
        </>
      )}
    </Empty>
  );
}

/** How an instance is started. */
const COMMAND = 'clockwright node --registry zookeeper://zk1:2181/billing -f jobs.yaml';

function Instances({ q }: { q: string }) {
  const say = useSay();
  const list = useInfiniteQuery({ ...instances(q), placeholderData: (before) => before });
  if (!list.data) return <Unseen query={list} what="place.fleet" rows={10} />;
  const rows = list.data.pages.flatMap((page) => page.items);
  if (rows.length === 0) return <Nothing q={q} />;
  return (
    <>
      <div className={t.scroll}>
        <table className={`${t.tbl} ${p.wide}`}>
          <thead>
            <tr>
              <th>{say('fleet.instance')}</th>
              <th style={{ width: 150 }}>{say('fleet.host')}</th>
              <th style={{ width: 130 }}>{say('fleet.project')}</th>
              <th style={{ width: 110 }}>{say('fleet.kind')}</th>
              <Number word="fleet.jobs" />
              <Number word="fleet.leads" />
              <Number word="fleet.items" />
              <Number word="fleet.running" />
              <th style={{ width: 120 }}>{say('fleet.since')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <Instance key={`${row.project} ${row.id}`} of={row} />
            ))}
          </tbody>
        </table>
      </div>
      <More list={list} />
    </>
  );
}

function Number({ word }: { word: Parameters<ReturnType<typeof useSay>>[0] }) {
  const say = useSay();
  return (
    <th style={{ width: 76 }} className={t.num}>
      {say(word)}
    </th>
  );
}

function Instance({ of }: { of: FleetInstance }) {
  const { language } = usePrefs();
  return (
    <tr>
      <td>
        <Link className="link" to="/fleet/instances/$id" params={{ id: of.id }}>
          <bdi className="mono">{of.id}</bdi>
        </Link>
      </td>
      <td>
        <Link to="/fleet/hosts/$project/$ip" params={{ project: of.project, ip: of.ip }}>
          <bdi>{of.ip}</bdi>
        </Link>
      </td>
      <td>
        <bdi>{of.project}</bdi>
      </td>
      <td>
        <Kind of={of.kind} />
      </td>
      <td className={t.num}>{count(of.jobs, language)}</td>
      <td className={t.num}>{of.leads ? count(of.leads, language) : <None />}</td>
      <td className={t.num}>{count(of.items, language)}</td>
      <td className={t.num}>{of.running ? count(of.running, language) : <None />}</td>
      <td>
        <Ago at={of.since} />
      </td>
    </tr>
  );
}

function Hosts({ q }: { q: string }) {
  const say = useSay();
  const list = useInfiniteQuery({ ...hosts(q), placeholderData: (before) => before });
  if (!list.data) return <Unseen query={list} what="place.fleet" rows={10} />;
  const rows = list.data.pages.flatMap((page) => page.items);
  if (rows.length === 0) return <Nothing q={q} />;
  return (
    <>
      <div className={t.scroll}>
        <table className={`${t.tbl} ${p.wide}`}>
          <thead>
            <tr>
              <th>{say('fleet.host')}</th>
              <th style={{ width: 150 }}>{say('fleet.project')}</th>
              <Number word="fleet.instances" />
              <Number word="fleet.java" />
              <Number word="fleet.jobs" />
              <th style={{ width: 150 }} className={t.num}>
                {say('fleet.disabled')}
              </th>
              <Number word="fleet.items" />
              <Number word="fleet.running" />
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <Host key={`${row.project} ${row.host.ip}`} of={row} />
            ))}
          </tbody>
        </table>
      </div>
      <More list={list} />
    </>
  );
}

function Host({ of: { project, host } }: { of: FleetHost }) {
  const { language } = usePrefs();
  return (
    <tr>
      <td>
        <Link className="link" to="/fleet/hosts/$project/$ip" params={{ project, ip: host.ip }}>
          <bdi className="mono">{host.ip}</bdi>
        </Link>
      </td>
      <td>
        <bdi>{project}</bdi>
      </td>
      <td className={t.num}>{count(host.instances, language)}</td>
      <td className={t.num}>{host.java ? count(host.java, language) : <None />}</td>
      <td className={t.num}>{count(host.jobs, language)}</td>
      <td className={t.num}>{host.disabledJobs ? <b className="miss t">{count(host.disabledJobs, language)}</b> : <None />}</td>
      <td className={t.num}>{count(host.items, language)}</td>
      <td className={t.num}>{host.running ? count(host.running, language) : <None />}</td>
    </tr>
  );
}

/** The fleet: the processes that run jobs, and the hosts that they are on. */
import { useInfiniteQuery, type UseInfiniteQueryResult } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { type FleetHost, type FleetInstance, hosts, instances } from '../../api/fleet';
import { usePrefs } from '../../look/prefs';
import { Finder } from '../../parts/Finder';
import p from '../../parts/Page.module.css';
import { Segmented } from '../../parts/Segmented';
import { Empty, More, Unseen } from '../../parts/States';
import { type Column, Table } from '../../parts/Table';
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

interface ListedProps {
  list: UseInfiniteQueryResult;
  /** The letters that are looked for. */
  q: string;
  of: readonly Column[];
  /** Its rows, once they are there. */
  children: ReactElement[] | undefined;
}

/** A list of the fleet, and the way to more of it. */
function Listed({ list, q, of, children }: ListedProps) {
  if (!children) return <Unseen query={list} what="place.fleet" rows={10} />;
  if (children.length === 0) return <Nothing q={q} />;
  return (
    <>
      <Table size="wide" of={of}>
        {children}
      </Table>
      <More list={list} />
    </>
  );
}

const INSTANCES: readonly Column[] = [
  { word: 'fleet.instance' },
  { word: 'fleet.host', width: 150 },
  { word: 'fleet.project', width: 130 },
  { word: 'fleet.kind', width: 110 },
  { word: 'fleet.jobs', width: 76, isNumber: true },
  { word: 'fleet.leads', width: 76, isNumber: true },
  { word: 'fleet.items', width: 76, isNumber: true },
  { word: 'fleet.running', width: 76, isNumber: true },
  { word: 'fleet.since', width: 120 },
];

function Instances({ q }: { q: string }) {
  const list = useInfiniteQuery({ ...instances(q), placeholderData: (before) => before });
  return (
    <Listed list={list} q={q} of={INSTANCES}>
      {list.data?.pages.flatMap((page) => page.items).map((row) => <Instance key={`${row.project} ${row.id}`} of={row} />)}
    </Listed>
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

const HOSTS: readonly Column[] = [
  { word: 'fleet.host' },
  { word: 'fleet.project', width: 150 },
  { word: 'fleet.instances', width: 76, isNumber: true },
  { word: 'fleet.java', width: 76, isNumber: true },
  { word: 'fleet.jobs', width: 76, isNumber: true },
  { word: 'fleet.disabled', width: 150, isNumber: true },
  { word: 'fleet.items', width: 76, isNumber: true },
  { word: 'fleet.running', width: 76, isNumber: true },
];

function Hosts({ q }: { q: string }) {
  const list = useInfiniteQuery({ ...hosts(q), placeholderData: (before) => before });
  return (
    <Listed list={list} q={q} of={HOSTS}>
      {list.data?.pages.flatMap((page) => page.items).map((row) => <Host key={`${row.project} ${row.host.ip}`} of={row} />)}
    </Listed>
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

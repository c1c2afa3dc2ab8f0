/** How the platform stands: what is not as it should be and what to do about it, and the servers that share the work. */
import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import { findings, system } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Icon, type Sign } from '../../parts/Glyph';
import p from '../../parts/Page.module.css';
import { Panel } from '../../parts/Panel';
import { Signed, Yes } from '../../parts/Signed';
import { Empty, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { Ago, Instant, None } from '../../parts/Times';
import { Say, useSay } from '../../words/say';
import s from './Health.module.css';

const GRAVITIES: Readonly<Record<Schemas['Gravity'], Sign>> = {
  error: { shape: 's-none', tone: 'fail', word: 'gravity.error' },
  warning: { shape: 's-bad', tone: 'miss', word: 'gravity.warning' },
  note: { shape: 's-ok', tone: 'skip', word: 'gravity.note' },
  fact: { shape: 's-unman', tone: 'skip', word: 'gravity.fact' },
};

export function HealthPage() {
  const say = useSay();
  return (
    <>
      <div className={p.head}>
        <h1>{say('place.health')}</h1>
      </div>
      <div className={s.stack}>
        <Findings />
        <Servers />
      </div>
    </>
  );
}

/** What the doctor says. It looks when it is asked, so it is asked by hand. */
function Findings() {
  const say = useSay();
  const found = useQuery({ ...findings, staleTime: 0 });
  return (
    <Panel
      title={say('health.findings')}
      side={
        <Button small onPress={() => void found.refetch()} busy={found.isFetching}>
          <Icon shape="i-retry" />
          {say('health.again')}
        </Button>
      }
    >
      {!found.data ? (
        <Unseen query={found} what="health.findings" />
      ) : found.data.length === 0 ? (
        <Empty title={say('health.none')}>
          <p className="mid">{say('health.noneSay')}</p>
        </Empty>
      ) : (
        <Table
          size="wide"
          label={say('health.findings')}
          of={[
            { word: 'health.how', width: 112 },
            { word: 'health.where', width: 180 },
            { word: 'health.what' },
            { word: 'health.fix' },
          ]}
        >
          {found.data.map((one) => (
            <tr key={`${one.code} ${one.where} ${one.what}`}>
              <td>
                <Severity of={one.severity} />
              </td>
              <td className={t.wrap}>{one.where ? <bdi>{one.where}</bdi> : <None />}</td>
              <td className={t.wrap}>
                <bdi lang="en">{one.what}</bdi> <code className="dim">{one.code}</code>
              </td>
              <td className={t.wrap}>
                {one.fix ? <bdi lang="en">{one.fix}</bdi> : <None />}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

/** How bad it is; the server's word where it is newer than these. */
function Severity({ of }: { of: string }) {
  const sign = (GRAVITIES as Readonly<Record<string, Sign>>)[of];
  return <Signed sign={sign} word={of} />;
}

function Servers() {
  const say = useSay();
  const found = useQuery(system);
  return (
    <Panel
      title={say('health.servers')}
      side={
        found.data && (
          <span>
            <Say id="health.term" values={{ term: found.data.term }} parts={{ at: <Instant at={found.data.termSince} /> }} />
          </span>
        )
      }
    >
      {!found.data ? (
        <Unseen query={found} what="health.servers" rows={2} />
      ) : (
        <Table
          size="wide"
          label={say('health.servers')}
          of={[
            { word: 'health.host' },
            { word: 'health.address' },
            { word: 'health.version', width: 110 },
            { word: 'health.started', width: 120 },
            { word: 'health.seen', width: 120 },
            { word: 'health.chores', width: 140 },
          ]}
        >
          {found.data.servers.map((one) => (
            <tr key={one.id}>
              <td>
                <bdi>{one.host}</bdi>
              </td>
              <td>
                <bdi className="mono">{one.address}</bdi>
              </td>
              <td>{one.version}</td>
              <td>
                <Ago at={one.startedAt} />
              </td>
              <td>
                <Ago at={one.seenAt} />
              </td>
              <td>
                {one.leads ? (
                  <Yes />
                ) : (
                  <None />
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

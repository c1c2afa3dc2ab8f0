/** The alerts: what is the matter now, and what was. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { acknowledge, type Alert, alerts } from '../../api/alerts';
import { can } from '../../api/can';
import { keys, session } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import { Button } from '../../parts/Button';
import p from '../../parts/Page.module.css';
import { Segmented } from '../../parts/Segmented';
import { useSent } from '../../parts/sent';
import { Signed } from '../../parts/Signed';
import { Empty, ErrorBox, More, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { Ago, None } from '../../parts/Times';
import { count } from '../../words/format';
import { useSay } from '../../words/say';
import { About } from './About';
import s from './Alerts.module.css';
import { ProjectPick } from './ProjectPick';
import { SEVERITIES, STATES } from './signs';

const SHOWN = ['open', 'resolved', 'all'] as const;

export function AlertsPage() {
  const say = useSay();
  const { state: asked, project } = useSearch({ from: '/shell/alerts/' });
  const navigate = useNavigate({ from: '/alerts' });
  const state = SHOWN.find((state) => state === asked) ?? 'open';
  return (
    <>
      <div className={s.tools}>
        <Segmented
          label={say('alerts.which')}
          of={SHOWN.map((id) => ({ id, text: say(`alerts.${id}`) }))}
          value={state}
          onChange={(to) => void navigate({ search: (before) => ({ ...before, state: to === 'open' ? undefined : to }) })}
        />
        <ProjectPick value={project} onChange={(to) => void navigate({ search: (before) => ({ ...before, project: to }) })} />
      </div>
      <div className={p.panel}>
        <List state={state} project={project} />
      </div>
    </>
  );
}

function List({ state, project }: { state: (typeof SHOWN)[number]; project: string | undefined }) {
  const say = useSay();
  const list = useInfiniteQuery(alerts(state === 'all' ? undefined : state, project));
  const me = useQuery(session).data;
  const taking = useSent(({ id }: Alert) => acknowledge(id, ''), [keys.alerts]);
  if (!list.data) return <Unseen query={list} what="place.alerts" rows={8} />;
  const all = list.data.pages.flatMap((page) => page.items);
  if (all.length === 0) {
    return (
      <Empty title={say(state === 'open' ? 'alerts.noneOpen' : 'alerts.none')}>
        {state === 'open' && <p className="mid">{say('alerts.noneOpenSay')}</p>}
      </Empty>
    );
  }
  return (
    <>
      {taking.problem && <ErrorBox error={taking.problem} />}
      <Table
        size="wide"
        of={[
          { word: 'alert.severity', width: 112 },
          { word: 'alert.what', width: 180 },
          { word: 'alert.about', width: 230 },
          { word: 'alert.sentence' },
          { word: 'alert.count', width: 60, isNumber: true },
          { word: 'alert.since', width: 110 },
          { word: 'run.state', width: 130 },
          { word: 'alert.do', width: 120, isUnseen: true },
        ]}
      >
        {all.map((alert) => (
          <Line
            key={alert.id}
            of={alert}
            mayAct={can(me, 'alert.act', alert.project ?? undefined)}
            isSent={taking.sent === alert}
            onTake={() => taking.send(alert)}
          />
        ))}
      </Table>
      <More list={list} />
    </>
  );
}

interface LineProps {
  of: Alert;
  mayAct: boolean;
  isSent: boolean;
  onTake: () => void;
}

function Line({ of, mayAct, isSent, onTake }: LineProps) {
  const say = useSay();
  const { language } = usePrefs();
  const sign = SEVERITIES[of.severity];
  const state = STATES[of.state];
  return (
    <tr>
      <td>
        <Signed sign={sign} word={of.severity} />
      </td>
      <td>
        <Link className="link" to="/alerts/$id" params={{ id: of.id }}>
          {say(`condition.${of.condition}`)}
        </Link>
      </td>
      <td>
        <About of={of} />
      </td>
      <td title={of.text}>
        <bdi lang="en">{of.text}</bdi>
      </td>
      <td className={t.num}>{count(of.count, language)}</td>
      <td>
        <Ago at={of.at} />
      </td>
      <td>
        {state ? say(state) : of.state}
        {of.ack && <bdi className="dim"> {of.ack.by}</bdi>}
      </td>
      <td>
        {of.state === 'firing' && mayAct ? (
          <Button small onPress={onTake} busy={isSent} aria-label={say('alert.takeOne', { what: of.text })}>
            {say('alert.take')}
          </Button>
        ) : (
          <None />
        )}
      </td>
    </tr>
  );
}

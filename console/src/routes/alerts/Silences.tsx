/** Silences: what they fit is recorded and not sent. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { endSilence, type Silence, silence, silences } from '../../api/alerts';
import { can } from '../../api/can';
import { keys, projects, session } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Field } from '../../parts/Field';
import { Panel } from '../../parts/Panel';
import { useSent } from '../../parts/sent';
import { Empty, ErrorBox, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { Instant, None } from '../../parts/Times';
import { useSay } from '../../words/say';
import s from './Alerts.module.css';
import { ProjectPick } from './ProjectPick';

export function SilencesPage() {
  const say = useSay();
  const list = useQuery(silences);
  const me = useQuery(session).data;
  const ending = useSent(endSilence, [keys.alerts]);
  const all = useQuery(projects).data ?? [];
  const mine = all.map(({ name }) => name).filter((name) => can(me, 'alert.act', name));
  return (
    <div className={s.cols}>
      <Panel title={say('alerts.silences')}>
        {ending.problem && <ErrorBox error={ending.problem} />}
        {!list.data ? (
          <Unseen query={list} what="alerts.silences" />
        ) : list.data.length === 0 ? (
          <Empty title={say('silence.none')}>
            <p className="mid">{say('silence.noneSay')}</p>
          </Empty>
        ) : (
          <Table
            size="mid"
            label={say('alerts.silences')}
            of={[
              { word: 'silence.fits', width: 210 },
              { word: 'run.reason' },
              { word: 'alert.by', width: 110 },
              { word: 'silence.until', width: 160 },
              { word: 'alert.do', width: 100, isUnseen: true },
            ]}
          >
            {list.data.map((one) => (
              <Line
                key={one.id}
                of={one}
                mayEnd={can(me, 'alert.act', one.project ?? undefined)}
                isSent={ending.sent === one}
                onEnd={() => ending.send(one)}
              />
            ))}
          </Table>
        )}
      </Panel>
      {mine.length > 0 && <Make projects={mine} everywhere={can(me, 'alert.act')} />}
    </div>
  );
}

interface LineProps {
  of: Silence;
  mayEnd: boolean;
  isSent: boolean;
  onEnd: () => void;
}

function Line({ of, mayEnd, isSent, onEnd }: LineProps) {
  const say = useSay();
  const what = of.conditions.map((condition) => say(`condition.${condition}`)).join(say('list.comma'));
  return (
    <tr>
      <td className={t.wrap}>
        <bdi className="dim">{of.project ?? say('switcher.all')}</bdi>
        {of.jobs && (
          <>
            <span className="dim">/</span>
            <bdi>{of.jobs}</bdi>
          </>
        )}
        {what && <small> · {what}</small>}
        {!of.active && <small className="dim"> · {say('silence.later')}</small>}
      </td>
      <td title={of.reason}>{of.reason ? <bdi>{of.reason}</bdi> : <None />}</td>
      <td>
        <bdi>{of.by}</bdi>
      </td>
      <td>
        <Instant at={of.endsAt} />
      </td>
      <td>
        {mayEnd ? (
          <Button small onPress={onEnd} busy={isSent} aria-label={say('silence.endOne', { what: `${of.project ?? say('switcher.all')} ${of.jobs ?? ''} ${of.reason}` })}>
            {say('silence.end')}
          </Button>
        ) : (
          <None />
        )}
      </td>
    </tr>
  );
}

/** For how long it may be quiet, hours. */
const LENGTHS = { '1h': 1, '4h': 4, '24h': 24, '7d': 168 } as const;
type Length = keyof typeof LENGTHS;

function Make({ projects: mine, everywhere }: { projects: readonly string[]; everywhere: boolean }) {
  const say = useSay();
  const usual = everywhere ? undefined : mine[0];
  const [project, setProject] = useState(usual);
  const [jobs, setJobs] = useState('');
  const [length, setLength] = useState<Length>('1h');
  const [reason, setReason] = useState('');
  const making = useSent(silence, [keys.alerts]);
  const fault = (pointer: string) => making.problem?.faults.find((fault) => fault.pointer === pointer)?.message;
  const clear = () => {
    setJobs('');
    setReason('');
  };
  return (
    <Panel title={say('silence.make')}>
      <form
        className={s.form}
        onSubmit={(event) => {
          event.preventDefault();
          const endsAt = new Date(Date.now() + LENGTHS[length] * 3_600_000).toISOString();
          making.send({ endsAt, reason, ...(project ? { project } : {}), ...(jobs.trim() ? { jobs: jobs.trim() } : {}) }, clear);
        }}
      >
        <div className={s.field}>
          <span aria-hidden="true">{say('fleet.project')}</span>
          <ProjectPick value={project} onChange={setProject} among={mine} withoutAll={!everywhere} />
        </div>
        <Field label={say('silence.jobs')} hint={say('silence.jobsHint')} value={jobs} onChange={setJobs} fault={fault('/jobs')} />
        <label className={s.field}>
          {say('silence.for')}
          <select className={s.select} value={length} onChange={(event) => setLength(event.target.value as Length)}>
            {Object.keys(LENGTHS).map((id) => (
              <option key={id} value={id}>
                {say(`span.${id as Length}`)}
              </option>
            ))}
          </select>
        </label>
        <Field label={say('run.reason')} value={reason} onChange={setReason} isRequired fault={fault('/reason')} />
        {making.problem && <ErrorBox error={making.problem} />}
        <Button type="submit" look="primary" busy={making.sent !== undefined}>
          {say(making.sent === undefined ? 'silence.do' : 'sent')}
        </Button>
        {making.answer && (
          <p className="ok t" role="status">
            {say('silence.made')}
          </p>
        )}
      </form>
    </Panel>
  );
}

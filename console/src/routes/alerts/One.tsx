/** One alert: what it is made of, since when, who has taken it up; and the way to take it up or give it back. */
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { acknowledge, type Alert, alert, giveBack } from '../../api/alerts';
import { can } from '../../api/can';
import { keys, session } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Facts } from '../../parts/Facts';
import { Field } from '../../parts/Field';
import p from '../../parts/Page.module.css';
import { Panel } from '../../parts/Panel';
import { useSent } from '../../parts/sent';
import { Signed } from '../../parts/Signed';
import { ErrorBox, Unseen } from '../../parts/States';
import { Ago, Instant } from '../../parts/Times';
import { useSay } from '../../words/say';
import { About } from './About';
import s from './Alerts.module.css';
import { SEVERITIES, STATES } from './signs';

export function AlertPage() {
  const say = useSay();
  const { id } = useParams({ from: '/shell/alerts/$id' });
  const found = useQuery(alert(id));
  const of = found.data;
  return (
    <>
      <p className={s.back}>
        <Link className="link" to="/alerts">
          {say('place.alerts')}
        </Link>
      </p>
      <div className={p.head}>
        <h1>{of ? say(`condition.${of.condition}`) : say('alert.one')}</h1>
      </div>
      {of ? (
        <div className={s.cols}>
          <Told of={of} />
          <div className={s.stack}>
            <Taken of={of} />
            <MadeOf of={of} />
          </div>
        </div>
      ) : (
        <Unseen query={found} what="alert.one" />
      )}
    </>
  );
}

const both = (at: string): ReactNode => (
  <>
    <Instant at={at} seconds /> · <Ago at={at} />
  </>
);

function Told({ of }: { of: Alert }) {
  const say = useSay();
  const sign = SEVERITIES[of.severity];
  const state = STATES[of.state];
  return (
    <Panel title={<bdi lang="en">{of.text}</bdi>}>
      <Facts
        of={[
          [
            'alert.severity',
            <Signed key="s" sign={sign} word={of.severity} />,
          ],
          ['run.state', state ? say(state) : of.state],
          ['alert.about', <About key="a" of={of} />],
          ['alert.since', both(of.at)],
          ['alert.last', both(of.lastAt)],
          ['alert.count', of.count],
          ['alert.ended', of.endedAt && both(of.endedAt)],
          [
            'alert.rule',
            <Link key="r" className="link" to="/alerts/rules" search={of.project ? { project: of.project } : {}}>
              <bdi>{of.rule}</bdi>
            </Link>,
          ],
        ]}
      />
    </Panel>
  );
}

/** Who has taken it up, and the form to do so. What is typed stays until it is carried out. */
function Taken({ of }: { of: Alert }) {
  const say = useSay();
  const me = useQuery(session).data;
  const [note, setNote] = useState('');
  const act = useSent((what: 'take' | 'back') => (what === 'take' ? acknowledge(of.id, note) : giveBack(of.id)), [keys.alerts]);
  const mayAct = can(me, 'alert.act', of.project ?? undefined);
  if (of.state === 'resolved' && !of.ack) return null;
  return (
    <Panel title={say('alert.ack')}>
      {of.ack && (
        <Facts
          of={[
            ['alert.by', <bdi key="b">{of.ack.by}</bdi>],
            ['run.when', both(of.ack.at)],
            ['alert.note', of.ack.note && <bdi>{of.ack.note}</bdi>],
          ]}
        />
      )}
      {act.problem && <ErrorBox error={act.problem} />}
      {of.state === 'firing' && mayAct && (
        <form
          className={s.form}
          onSubmit={(event) => {
            event.preventDefault();
            act.send('take', () => setNote(''));
          }}
        >
          <Field label={say('alert.note')} hint={say('alert.noteHint')} value={note} onChange={setNote} />
          <Button type="submit" look="primary" busy={act.sent !== undefined}>
            {say(act.sent === undefined ? 'alert.take' : 'sent')}
          </Button>
        </form>
      )}
      {of.state === 'acked' && mayAct && (
        <div className={s.form}>
          <Button onPress={() => act.send('back')} busy={act.sent !== undefined}>
            {say(act.sent === undefined ? 'alert.giveBack' : 'sent')}
          </Button>
        </div>
      )}
      {!mayAct && of.state !== 'resolved' && <p className={s.form}>{say('alert.mayNot')}</p>}
    </Panel>
  );
}

/** The facts that it is judged by, as they were. */
function MadeOf({ of }: { of: Alert }) {
  const say = useSay();
  const params = Object.entries(of.params);
  if (params.length === 0) return null;
  return (
    <Panel title={say('alert.params')}>
      <dl className={s.params}>
        {params.map(([key, value]) => (
          <div key={key}>
            <dt>
              <code>{key}</code>
            </dt>
            <dd>
              <bdi>{typeof value === 'string' ? value : JSON.stringify(value)}</bdi>
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

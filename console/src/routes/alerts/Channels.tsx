/** Channels: where messages go, and whether they arrive. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type Channel, channels, testChannel } from '../../api/alerts';
import { can } from '../../api/can';
import { projects, session } from '../../api/queries';
import { Button } from '../../parts/Button';
import p from '../../parts/Page.module.css';
import { Scroll } from '../../parts/Scroll';
import { useSent } from '../../parts/sent';
import { Empty, ErrorBox, Unseen } from '../../parts/States';
import t from '../../parts/Table.module.css';
import { None } from '../../parts/Times';
import { useSay } from '../../words/say';
import s from './Alerts.module.css';
import { ProjectPick } from './ProjectPick';

export function ChannelsPage() {
  const say = useSay();
  const me = useQuery(session).data;
  const all = useQuery(projects).data;
  const { project: asked } = useSearch({ from: '/shell/alerts/channels' });
  const navigate = useNavigate({ from: '/alerts/channels' });
  const readable = (all ?? []).map(({ name }) => name).filter((name) => can(me, 'channel.read', name));
  const everywhere = can(me, 'channel.read');
  const project = asked ?? (everywhere ? undefined : readable[0]);
  const isAllowed = everywhere || (project !== undefined && readable.includes(project));
  return (
    <>
      {(everywhere || readable.length > 0) && (
        <div className={s.tools}>
          <ProjectPick
            value={project}
            among={readable}
            withoutAll={!everywhere}
            onChange={(to) => void navigate({ search: (before) => ({ ...before, project: to }) })}
          />
        </div>
      )}
      <div className={p.panel}>
        {isAllowed ? <List project={project} /> : all && <Empty title={say('channel.notAllowed')} />}
      </div>
    </>
  );
}

function List({ project }: { project: string | undefined }) {
  const say = useSay();
  const list = useQuery(channels(project));
  if (!list.data) return <Unseen query={list} what="alerts.channels" />;
  if (list.data.length === 0) {
    return (
      <Empty title={say('channel.none')}>
        <p className="mid">{say('channel.noneSay')}</p>
      </Empty>
    );
  }
  return (
    <Scroll label={say('alerts.channels')}>
      <table className={`${t.tbl} ${p.wide}`}>
        <thead>
          <tr>
            <th style={{ width: 180 }}>{say('channel.name')}</th>
            <th style={{ width: 110 }}>{say('channel.kind')}</th>
            <th style={{ width: 150 }}>{say('fleet.project')}</th>
            <th>{say('channel.to')}</th>
            <th style={{ width: 90 }}>{say('run.state')}</th>
            <th style={{ width: 330 }}>{say('channel.test')}</th>
          </tr>
        </thead>
        <tbody>
          {list.data.map((channel) => (
            <Line key={channel.id} of={channel} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Line({ of }: { of: Channel }) {
  const say = useSay();
  const me = useQuery(session).data;
  const test = useSent(testChannel, []);
  const mayTest = of.project == null ? can(me, 'alert.all') : can(me, 'channel.write', of.project);
  const to = of.to?.length ? of.to.join(say('list.comma')) : of.host;
  return (
    <tr>
      <td>
        <bdi>{of.name}</bdi>
      </td>
      <td>{say(`kind.${of.kind}`)}</td>
      <td>{of.project ? <bdi>{of.project}</bdi> : <span className="dim">{say('switcher.all')}</span>}</td>
      <td title={to ?? undefined}>{to ? <bdi>{to}</bdi> : <None />}</td>
      <td>{say(of.enabled ? 'rule.on' : 'rule.off')}</td>
      <td className={t.wrap}>
        {mayTest && (
          <Button small onPress={() => test.send(of)} busy={test.sent !== undefined} aria-label={say('channel.testOne', { name: of.name })}>
            {say(test.sent === undefined ? 'channel.testDo' : 'sent')}
          </Button>
        )}
        {test.answer && (
          <p role="status" className={test.answer.sent ? 'ok t' : 'fail t'}>
            {say(test.answer.sent ? 'channel.taken' : 'channel.refused')}
            {test.answer.answer && (
              <>
                {' '}
                <bdi className="mid">{test.answer.answer}</bdi>
              </>
            )}
          </p>
        )}
        {test.problem && <ErrorBox error={test.problem} />}
      </td>
    </tr>
  );
}

/** Channels: where messages go, and whether they arrive. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type Channel, channels, testChannel } from '../../api/alerts';
import { can } from '../../api/can';
import { projects, session } from '../../api/queries';
import { Button } from '../../parts/Button';
import p from '../../parts/Page.module.css';
import { useSent } from '../../parts/sent';
import { Empty, ErrorBox, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
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
    <Table
      size="wide"
      label={say('alerts.channels')}
      of={[
        { word: 'channel.name', width: 180 },
        { word: 'channel.kind', width: 110 },
        { word: 'fleet.project', width: 150 },
        { word: 'channel.to' },
        { word: 'run.state', width: 90 },
        { word: 'channel.test', width: 330 },
      ]}
    >
      {list.data.map((channel) => (
        <Line key={channel.id} of={channel} />
      ))}
    </Table>
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

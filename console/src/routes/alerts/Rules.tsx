/** Rules: what is told, when that is true, and whether it is told at all. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { enableRule, type Rule, rules } from '../../api/alerts';
import { can } from '../../api/can';
import { keys, session } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import { Button } from '../../parts/Button';
import p from '../../parts/Page.module.css';
import { useSent } from '../../parts/sent';
import { Signed } from '../../parts/Signed';
import { Empty, ErrorBox, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { None } from '../../parts/Times';
import { duration } from '../../words/format';
import { useSay } from '../../words/say';
import s from './Alerts.module.css';
import { ProjectPick } from './ProjectPick';
import { SEVERITIES } from './signs';

export function RulesPage() {
  const say = useSay();
  const { project } = useSearch({ from: '/shell/alerts/rules' });
  const navigate = useNavigate({ from: '/alerts/rules' });
  const list = useQuery(rules(project));
  const me = useQuery(session).data;
  const change = useSent((rule: Rule) => enableRule(rule, !rule.enabled), [keys.alerts]);
  return (
    <>
      <div className={s.tools}>
        <ProjectPick value={project} onChange={(to) => void navigate({ search: (before) => ({ ...before, project: to }) })} />
      </div>
      <div className={p.panel}>
        {change.problem && <ErrorBox error={change.problem} />}
        {!list.data ? (
          <Unseen query={list} what="alerts.rules" rows={12} />
        ) : list.data.length === 0 ? (
          <Empty title={say('rule.none')} />
        ) : (
          <Table
            size="wide"
            label={say('alerts.rules')}
            of={[
              { word: 'alert.what', width: 190 },
              { word: 'rule.means' },
              { word: 'rule.of', width: 130 },
              { word: 'rule.threshold', width: 80, isNumber: true },
              { word: 'rule.wait', width: 90, isNumber: true },
              { word: 'alert.severity', width: 110 },
              { word: 'run.state', width: 100 },
              { word: 'alert.do', width: 110, isUnseen: true },
            ]}
          >
            {list.data.map((rule) => (
              <Line
                key={`${rule.project ?? ''} ${rule.id}`}
                of={rule}
                mayChange={rule.project == null ? can(me, 'alert.all') : can(me, 'alert.write', rule.project)}
                isSent={change.sent === rule}
                onChange={() => change.send(rule)}
              />
            ))}
          </Table>
        )}
      </div>
    </>
  );
}

interface LineProps {
  of: Rule;
  mayChange: boolean;
  isSent: boolean;
  onChange: () => void;
}

function Line({ of, mayChange, isSent, onChange }: LineProps) {
  const say = useSay();
  const { language } = usePrefs();
  const sign = SEVERITIES[of.severity];
  const name = say(`condition.${of.condition}`);
  return (
    <tr>
      <td>{name}</td>
      <td title={of.means}>
        <span lang="en">{of.means}</span>
      </td>
      <td>
        {of.project ? <bdi>{of.project}</bdi> : <span className="dim">{say('switcher.all')}</span>}
        {of.jobs && <bdi className="dim"> {of.jobs}</bdi>}
      </td>
      <td className={t.num}>{of.threshold ?? <None />}</td>
      <td className={t.num}>{of.wait ? duration(of.wait * 1_000, language) : <None />}</td>
      <td>
        <Signed sign={sign} word={of.severity} />
      </td>
      <td>{say(of.enabled ? 'rule.on' : 'rule.off')}</td>
      <td>
        {mayChange ? (
          <Button small onPress={onChange} busy={isSent} aria-label={say(of.enabled ? 'rule.turnOffOne' : 'rule.turnOnOne', { name })}>
            {say(of.enabled ? 'rule.turnOff' : 'rule.turnOn')}
          </Button>
        ) : (
          <None />
        )}
      </td>
    </tr>
  );
}

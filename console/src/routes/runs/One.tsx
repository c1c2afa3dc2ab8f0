/** A run by its id, so that one of a log is enough: its outcome and why, its attempt, and the states that its firing went through. */
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { type ReactNode, useRef } from 'react';
import type { Schemas } from '../../api/client';
import { run } from '../../api/history';
import { usePrefs } from '../../look/prefs';
import { Copy } from '../../parts/Copy';
import { Facts } from '../../parts/Facts';
import p from '../../parts/Page.module.css';
import { Panel } from '../../parts/Panel';
import { FireLink, late, Outcome, Source, took, useReason } from '../../parts/Run';
import { Empty, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import { Instant, None } from '../../parts/Times';
import { duration } from '../../words/format';
import { useSay } from '../../words/say';
import s from './Runs.module.css';
import { statesOf } from './states';

export function RunPage() {
  const say = useSay();
  const { id } = useParams({ from: '/shell/runs/$id' });
  const found = useQuery(run(id));
  const text = useRef<HTMLElement>(null);
  return (
    <>
      <div className={p.head}>
        <h1>
          {say('run.one')} <bdi className="dim mono" ref={text}>{id}</bdi>
        </h1>
        <div className={p.acts}>
          <Copy text={id} from={text} />
        </div>
      </div>
      {found.data ? (
        <div className={s.stack}>
          <Told of={found.data} />
          <States of={statesOf(found.data.states, found.data.outcome?.startedAt ?? found.data.attempt?.startedAt)} />
        </div>
      ) : (
        <Unseen query={found} what="run.one" />
      )}
    </>
  );
}

type One = Schemas['RunPage'];

/** What is known of it: by its outcome, and by its attempt while there is none. */
function Told({ of: { outcome, attempt } }: { of: One }) {
  const say = useSay();
  const { language } = usePrefs();
  const why = useReason();
  const length = (ms: number | undefined) => (ms === undefined ? undefined : duration(ms, language));
  const at = (instant: string | null | undefined) => instant && <Instant at={instant} seconds />;
  const facts: [Parameters<typeof say>[0], ReactNode][] = [];
  if (outcome) {
    const reason = why(outcome);
    facts.push(
      ['run.outcome', <Outcome key="o" of={outcome.outcome} />],
      ['run.reason', reason && <bdi>{reason}</bdi>],
      [
        'run.fire',
        <FireLink key="f" project={outcome.project} job={outcome.job} id={outcome.fire} item={outcome.item}>
          {outcome.project && <bdi className="dim">{outcome.project}/</bdi>}
          <bdi>{outcome.job}</bdi> · <Instant at={outcome.fireAt} seconds />
        </FireLink>,
      ],
      ['run.item', outcome.item],
      ['run.attempt', outcome.attempt],
      ['run.source', <Source key="s" of={outcome.source} />],
      ['run.late', length(late(outcome))],
      ['run.took', length(took(outcome))],
      ['run.instance', <bdi key="i" className="mono">{outcome.instance}</bdi>],
      ['run.token', outcome.token],
      ['run.decided', at(outcome.decidedAt)],
    );
  }
  if (attempt) {
    if (!outcome) facts.push(['run.job', <bdi key="j">{attempt.job}</bdi>], ['run.item', attempt.item], ['run.source', <Source key="s" of={attempt.source} />]);
    facts.push(
      ['run.state', say(attempt.state === 'running' ? 'outcome.running' : attempt.state === 'failed' ? 'outcome.failed' : 'outcome.succeeded')],
      ['run.started', at(attempt.startedAt)],
      ['run.ended', at(attempt.endedAt)],
      ['run.host', <span key="h"><bdi>{attempt.ip}</bdi> <bdi className="dim">{attempt.hostname}</bdi></span>],
      ['run.task', <bdi key="t" className="mono">{attempt.task}</bdi>],
      ['run.cause', attempt.cause && <bdi>{attempt.cause}</bdi>],
    );
  }
  return (
    <Panel title={say('run.told')}>
      <Facts of={facts} />
    </Panel>
  );
}

function States({ of }: { of: readonly Schemas['RunState'][] }) {
  const say = useSay();
  return (
    <Panel title={say('run.states')}>
      {of.length === 0 ? (
        <Empty title={say('run.noStates')} />
      ) : (
        <Table
          size="mid"
          label={say('run.states')}
          of={[
            { word: 'run.when', width: 160 },
            { word: 'run.state', width: 170 },
            { word: 'run.message' },
          ]}
        >
          {of.map(({ at, state, message }, index) => (
            <tr key={index}>
              <td>{at ? <Instant at={at} seconds /> : <None />}</td>
              <td>
                <code>{state}</code>
              </td>
              <td title={message}>{message ? <bdi>{message}</bdi> : <None />}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

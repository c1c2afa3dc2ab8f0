/** One thing with many jobs: what it would do, then how far it is, and the way back. All of it stands in the address, for another one to look too. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { Operation } from '../../act/acts';
import { Frame } from '../../act/Frame';
import { goesOn, standing } from '../../act/plan';
import { body, type Schemas, server } from '../../api/client';
import { bulkOperation, bulkPlan } from '../../api/queries';
import { Problem } from '../../api/problem';
import { Button } from '../../parts/Button';
import { JobLink } from '../../parts/JobLink';
import p from '../../parts/Page.module.css';
import { Panel } from '../../parts/Panel';
import { Empty, ErrorBox, meaning, Unseen } from '../../parts/States';
import t from '../../parts/Table.module.css';
import { Ago } from '../../parts/Times';
import { Say, useSay } from '../../words/say';
import s from './Bulk.module.css';
import { useFollow } from './follow';
import { type Action, actionOf, selectOf, wouldOf } from './select';
import { Undo } from './Undo';

export function BulkPage() {
  const say = useSay();
  const search = useSearch({ from: '/shell/jobs/bulk' });
  const action = actionOf(search);
  const select = selectOf(search);
  if (search.id) return <Progress id={search.id} />;
  if (!action || !select) return <Empty title={<h1>{say('bulk.nothing')}</h1>} />;
  return <Plan action={action} select={select} />;
}

function Plan({ action, select }: { action: Action; select: Schemas['Select'] }) {
  const say = useSay();
  const follow = useFollow({ replace: true });
  const navigate = useNavigate({ from: '/jobs/bulk' });
  const found = useQuery(bulkPlan(action, select));
  if (!found.data) {
    return (
      <>
        <h1 className={s.title}>{say('bulk.title', { verb: say(`act.${action}`) })}</h1>
        <Unseen query={found} what="act.plan" />
      </>
    );
  }
  const { warnings = [], bulk } = found.data.result;
  const { count = 0, jobs = [], codes = {}, expect } = bulk ?? {};
  const refused = Object.values(codes).reduce((sum, one) => sum + one, 0);
  const title = say('bulk.do', { verb: say(`act.${action}`), count });
  const send = (reason: string, key: string) =>
    body(
      server.POST('/api/v1/bulk', {
        body: { action, select, reason, ...(expect ? { expect } : {}) },
        headers: { 'Idempotency-Key': key },
      }),
    );
  return (
    <>
      <div className={p.head}>
        <h1>{title}</h1>
      </div>
      <div className={s.cols}>
        <Panel title={say('act.plan')} side={<Button small onPress={() => void found.refetch()} busy={found.isFetching}>{say('bulk.lookAgain')}</Button>}>
          <p className={s.line}>{say('bulk.counts', { would: wouldOf(count, codes), refused })}</p>
          {warnings.map((warning) => (
            <p key={warning} className={s.warn} lang="en">
              {warning}
            </p>
          ))}
          <Refused codes={codes} />
          <ul className={s.names}>
            {jobs.map((job) => (
              <li key={`${job.project}/${job.name}`}>
                <JobLink project={job.project} job={job.name} />
              </li>
            ))}
            {count > jobs.length && <li className="dim">{say('whatif.more', { count: count - jobs.length })}</li>}
          </ul>
        </Panel>
        <section className={s.frame} aria-label={title}>
          <Frame
            title={title}
            lead={say(`act.${action}.say`)}
            isReady={count > 0}
            needsReason
            plan={null}
            send={send}
            onWord={follow}
            onClose={() => void navigate({ to: '/jobs', search: 'q' in select ? { q: select.q } : {} })}
          />
        </section>
      </div>
    </>
  );
}

/** Why some are refused, and how many. */
function Refused({ codes }: { codes: Readonly<Record<string, number>> }) {
  const say = useSay();
  const all = Object.entries(codes);
  if (all.length === 0) return null;
  return (
    <ul className={s.refused}>
      {all.map(([code, count]) => (
        <li key={code}>
          <b>{count}</b> {meaning(new Problem({ status: 409, code }), say)}
        </li>
      ))}
    </ul>
  );
}

/** How far it is; whoever reloads the page finds it as it is. */
function Progress({ id }: { id: string }) {
  const say = useSay();
  const client = useQueryClient();
  const found = useQuery(bulkOperation(id));
  if (!found.data) {
    return (
      <>
        <h1 className={s.title}>{say('bulk.progress')}</h1>
        <Unseen query={found} what="bulk.progress" />
      </>
    );
  }
  const word = found.data;
  const { bulk, problem } = word.result;
  const { count = 0, done = 0, codes = {}, results = [] } = bulk ?? {};
  const refused = results.filter((one) => one.code);
  const stop = async () => {
    await body(server.POST('/api/v1/operations/{id}/cancel', { params: { path: { id } } })).catch(() => undefined);
    await client.invalidateQueries({ queryKey: bulkOperation(id).queryKey });
  };
  return (
    <>
      <div className={p.head}>
        <h1>{say('bulk.progress')}</h1>
        <div className={p.acts}>
          {goesOn(word) && <Button onPress={() => void stop()}>{say('bulk.stop')}</Button>}
          {bulk?.undo && <Undo of={bulk.undo} />}
        </div>
      </div>
      <Panel title={<Standing word={word} />} side={<Ago at={word.at} />}>
        <p className={s.line} role="status">
          <progress max={Math.max(count, 1)} value={goesOn(word) ? done : count} aria-label={say('bulk.progress')} />
          <span>{say('bulk.done', { done, count })}</span>
        </p>
        <p className={s.line}>
          <Say id="bulk.by" parts={{ who: <bdi>{word.by}</bdi>, reason: <bdi>{word.reason ?? ''}</bdi> }} />
        </p>
        {problem && <ErrorBox error={new Problem(problem)} />}
        <Refused codes={codes} />
        {results.length > 0 && (
          <table className={t.tbl}>
            <tbody>
              {[...refused, ...results.filter((one) => !one.code)].map((one) => (
                <tr key={`${one.project}/${one.name}`}>
                  <td>
                    <JobLink project={one.project} job={one.name} />
                  </td>
                  <td className={t.wrap}>
                    {one.code ? meaning(new Problem({ status: 409, code: one.code }), say) : one.news === false || one.news === undefined ? say(`bulk.state.${one.state as 'done'}`) : say('bulk.changed')}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Panel>
    </>
  );
}

function Standing({ word }: { word: Operation }) {
  const say = useSay();
  return say(`bulk.is.${standing(word)}`);
}

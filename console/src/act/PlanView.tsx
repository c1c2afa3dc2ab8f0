/** What an act would do: what runs now, what stands still all the same, what moves, what is written. It is asked anew when the job changes. */
import { useQuery } from '@tanstack/react-query';
import { live } from '../api/queries';
import { usePrefs } from '../look/prefs';
import { ErrorBox, Pending } from '../parts/States';
import { numbers } from '../words/format';
import { Say, useSay } from '../words/say';
import type { Wish } from './acts';
import type { Asked } from './desk';
import { plan } from './plan';
import s from './Sheet.module.css';
import { WhatIfView } from './WhatIfView';

/** Acts that meet what runs. */
const MEETS_RUNS = ['pause', 'drain', 'disable', 'offline', 'remove', 'shutdown', 'itemDisable'];

export function PlanView({ asked: { act, subject }, extra }: { asked: Asked; extra: Partial<Wish> }) {
  const say = useSay();
  const { language } = usePrefs();
  const found = useQuery(plan(act, subject, act === 'drain' ? {} : extra));
  const now = useQuery(live(subject)).data;
  const running = (now?.items ?? [])
    .filter((item) => item.running && (subject.item ?? item.item) === item.item && isAt(item.owner, subject.host, subject.instance))
    .map((item) => item.item);
  if (!found.data) {
    return <div className={s.plan}>{found.isError ? <ErrorBox error={found.error} /> : <Pending what="act.plan" rows={2} />}</div>;
  }
  const { nodes = [], warnings = [], stillHeld = [] } = found.data.result;
  return (
    <section className={s.plan} aria-label={say('act.plan')}>
      {MEETS_RUNS.includes(act) && running.length > 0 && (
        <p>{say('act.running', { count: running.length, items: numbers(running, language) })}</p>
      )}
      {warnings.map((warning) => (
        <p key={warning} className={s.warn} lang="en">
          {warning}
        </p>
      ))}
      {stillHeld.map((hold) => (
        <p key={`${hold.kind} ${hold.scope} ${hold.target ?? ''}`} className={s.warn}>
          <Say
            id="act.stillHeld"
            values={{ kind: say(`hold.${hold.kind as 'pause' | 'drain' | 'disable'}`), what: hold.target ?? '' }}
            parts={{ who: <bdi>{hold.by || say('act.somebody')}</bdi> }}
          />{' '}
          {hold.reason && <bdi>{hold.reason}</bdi>}
        </p>
      ))}
      {act === 'rebalance' && <div className={s.moves}><WhatIfView name={subject} question={{}} /></div>}
      {nodes.length === 0 ? (
        <p>{say('act.soAlready')}</p>
      ) : (
        <details>
          <summary>{say('act.writes', { count: nodes.length })}</summary>
          <pre tabIndex={0}>{nodes.join('\n')}</pre>
        </details>
      )}
    </section>
  );
}

/** Whether an instance is the one that is meant, or on the host that is meant. */
function isAt(id: string | null | undefined, host: string | undefined, instance: string | undefined): boolean {
  if (instance) return id === instance;
  return host === undefined || (id ?? '').startsWith(`${host}@`);
}

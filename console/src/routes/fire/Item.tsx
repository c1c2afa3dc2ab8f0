/** One item of a fire: who it is by all its ids, why it ended so, each attempt, and where the time went. */
import { Link } from '@tanstack/react-router';
import type { FireItem } from '../../api/history';
import type { JobName } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import { Facts } from '../../parts/Facts';
import { Glyph, OUTCOMES, RUNNING } from '../../parts/Glyph';
import { useNow } from '../../parts/now';
import { Panel } from '../../parts/Panel';
import { late, Source, took, useReason } from '../../parts/Run';
import { Instant } from '../../parts/Times';
import { duration } from '../../words/format';
import { useSay } from '../../words/say';
import s from './Fire.module.css';
import { lostIn, type PhaseKind, phases } from './phases';
import { signOf } from './Waterfall';
import { usualOf } from './waterfall';

interface Props {
  name: JobName;
  of: FireItem;
  due: number;
}

export function Item({ name, of, due }: Props) {
  const say = useSay();
  const { language } = usePrefs();
  const why = useReason();
  const sign = signOf(of);
  const outcome = of.outcome ?? undefined;
  const usual = usualOf(of);
  const length = (ms: number | undefined) => (ms === undefined ? undefined : duration(ms, language));
  const reason = outcome && why(outcome);
  return (
    <aside className={s.stack}>
      <Panel
        title={say('fire.item', { item: of.item })}
        side={
          sign && (
            <span className={`${s.badge} ${sign.tone}`}>
              <Glyph sign={sign} />
              {say(sign.word)}
            </span>
          )
        }
      >
        {reason && (
          <p className={s.reason}>
            <bdi>{reason}</bdi>
          </p>
        )}
        <Facts
          of={[
            ['run.source', outcome && <Source of={outcome.source} />],
            ['run.attempt', outcome && outcome.attempt > 0 ? outcome.attempt : undefined],
            ['run.late', outcome && length(late(outcome))],
            ['run.took', outcome && length(took(outcome))],
            ['run.usual', usual && say('run.usualSay', { p50: duration(usual.p50, language), p95: duration(usual.p95, language) })],
            ['run.fire', <bdi key="f" className="mono">{outcome?.fire ?? String(due)}</bdi>],
            ['run.token', outcome && outcome.token > 0 ? <bdi className="mono">{outcome.token}</bdi> : undefined],
            ['run.instance', outcome && <bdi className="mono">{outcome.instance}</bdi>],
            ['run.into', outcome?.into && <Into name={name} id={outcome.into} />],
            ['run.decided', outcome && <Instant at={outcome.decidedAt} seconds />],
          ]}
        />
      </Panel>
      {of.attempts.length > 0 && <Attempts of={of} />}
      {of.attempts.length > 0 && <Phases of={of} due={due} />}
    </aside>
  );
}

/** The fire that ran for this one. */
function Into({ name, id }: { name: JobName; id: string }) {
  const at = Number(id.split('/')[0]);
  if (!Number.isFinite(at)) return <bdi className="mono">{id}</bdi>;
  return (
    <Link className="link" to="/fires/$project/$job/$fire" params={{ ...name, fire: String(at) }}>
      <Instant at={new Date(at).toISOString()} seconds />
    </Link>
  );
}

function Attempts({ of }: { of: FireItem }) {
  const say = useSay();
  return (
    <Panel title={say('fire.attempts')}>
      <ol className={s.attempts}>
        {of.attempts.map((one) => {
          const sign = one.state === 'running' ? RUNNING : OUTCOMES[one.state];
          return (
            <li key={one.run}>
              {sign && <Glyph sign={sign} />}
              <div>
                <b>{say('fire.attempt', { number: one.attempt })}</b> {sign ? say(sign.word) : one.state}
                {one.startedAt && (
                  <>
                    {' · '}
                    <Instant at={one.startedAt} seconds />
                  </>
                )}
                <p className="dim">
                  {one.instance && <bdi className="mono">{one.instance}</bdi>} {one.hostname && <bdi>{one.hostname}</bdi>}
                </p>
                {one.cause && (
                  <p>
                    <bdi>{one.cause}</bdi>
                  </p>
                )}
                <Link className="link mono" to="/runs/$id" params={{ id: one.run }}>
                  {one.run}
                </Link>
              </div>
            </li>
          );
        })}
      </ol>
    </Panel>
  );
}

const TONES: Readonly<Record<Exclude<PhaseKind, 'run'>, string>> = { claim: 'skip', start: 'coal', earlier: 'fail', takeover: 'miss' };

function Phases({ of, due }: { of: FireItem; due: number }) {
  const say = useSay();
  const { language } = usePrefs();
  const now = useNow('second');
  const all = phases(of, due, now);
  const lost = lostIn(all);
  if (all.length === 0) return null;
  return (
    <Panel title={say('fire.phases')}>
      <ol className={s.phases}>
        <li>
          <i />
          <span>{say('run.due')}</span>
          <b>
            <Instant at={new Date(due).toISOString()} seconds />
          </b>
        </li>
        {all.map(({ kind, attempt, ms }) => (
          <li key={`${kind} ${attempt}`}>
            <i className={kind === 'run' ? (signOf(of)?.tone ?? 'run') : TONES[kind]} data-kind={kind} />
            <span>{say(`phase.${kind}`, { attempt })}</span>
            <b>{`+${duration(ms, language)}`}</b>
          </li>
        ))}
      </ol>
      {lost && <p className={s.lost}>{say('fire.lost', { length: duration(lost.ms, language), phase: say(`phase.${lost.kind}`, { attempt: lost.attempt }) })}</p>}
    </Panel>
  );
}

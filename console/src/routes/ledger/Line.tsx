/** One row of a ledger: a fire, fires that are alike, or what was done to the job. */
import { Link } from '@tanstack/react-router';
import type { JobName } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import { Glyph, OUTCOMES, type Sign } from '../../parts/Glyph';
import { FireLink, useReason } from '../../parts/Run';
import { Instant, None } from '../../parts/Times';
import { count, duration } from '../../words/format';
import { Say, useSay } from '../../words/say';
import { GAPS } from '../fire/gaps';
import s from './Ledger.module.css';
import { type Cell, counted, type FireRow, type MarkRow, type RangeRow, type Row, type WellRow } from './rows';

export function LedgerRow({ of, name }: { of: Row; name: JobName }) {
  switch (of.kind) {
    case 'fire':
      return <Fire of={of} name={name} />;
    case 'range':
      return <Range of={of} name={name} />;
    case 'well':
      return <Well of={of} />;
    default:
      return <Mark of={of} name={name} />;
  }
}

const iso = (at: number) => new Date(at).toISOString();

/** The sign of an outcome, or of why there is none. */
const signOf = (kind: string): Sign | undefined => OUTCOMES[kind] ?? GAPS[kind];

function Fire({ of, name }: { of: FireRow; name: JobName }) {
  const say = useSay();
  return (
    <li className={s.row}>
      <FireLink project={name.project} job={name.job} id={of.id}>
        <Instant at={iso(of.at)} seconds />
      </FireLink>
      <Cells of={of.cells} />
      <span className={s.what}>
        {of.trigger && <b>{say('ledger.byHand')} </b>}
        <Became of={of} />
      </span>
      <Length ms={of.took} />
      <Length ms={of.late} late />
    </li>
  );
}

function Range({ of, name }: { of: RangeRow; name: JobName }) {
  const say = useSay();
  const { language } = usePrefs();
  return (
    <li className={s.row}>
      <span className={s.when}>
        <FireLink project={name.project} job={name.job} id={of.id}>
          <Instant at={iso(of.at)} seconds /> – <Instant at={iso(of.to)} seconds />
        </FireLink>
      </span>
      <Cells of={of.cells} />
      <span className={s.what}>
        {say('ledger.range', { count: of.count, shown: count(of.count, language) })} <Became of={of} />
      </span>
      <Length ms={undefined} />
      <Length ms={undefined} late />
    </li>
  );
}

function Well({ of }: { of: WellRow }) {
  const say = useSay();
  const { language } = usePrefs();
  return (
    <li className={s.row}>
      <span className={s.when}>
        <Instant at={iso(of.at)} seconds /> – <Instant at={iso(of.to)} seconds />
      </span>
      <i className={s.bar} aria-hidden="true" />
      <span className={s.what}>{say('ledger.well', { fires: of.fires, shown: count(of.fires, language), items: of.items })}</span>
      <Length ms={of.took} />
      <Length ms={undefined} late />
    </li>
  );
}

/** What became of a fire, in words: how many of what, and why the worst is so. */
function Became({ of }: { of: FireRow | RangeRow }) {
  const say = useSay();
  const why = useReason();
  const kinds = counted(of.cells);
  const reason = of.worst ? why(of.worst) : '';
  const [only] = kinds;
  const worst = of.worst;
  if (kinds.length === 1 && only) {
    const sign = signOf(only[0]);
    return (
      <>
        <b>{say('ledger.allOf', { count: of.cells.length, what: sign ? say(sign.word) : only[0] })}</b>
        {reason && (
          <>
            {say('ledger.colon')}
            <bdi>{reason}</bdi>
          </>
        )}
      </>
    );
  }
  return (
    <>
      <b>
        {kinds
          .filter(([kind]) => kind !== 'succeeded')
          .map(([kind, number]) => {
            const sign = signOf(kind);
            return say('ledger.some', { count: number, what: sign ? say(sign.word) : kind });
          })
          .join(say('list.comma'))}
      </b>
      {worst && reason && (
        <>
          {say('ledger.colon')}
          {say('ledger.item', { item: worst.item })} <bdi>{reason}</bdi>
        </>
      )}
    </>
  );
}

/** From how many items on counts say more than squares. */
const SQUARES = 24;

/** A square each item, or how many of which kind. */
function Cells({ of }: { of: readonly Cell[] }) {
  const say = useSay();
  const kinds = counted(of);
  const told = kinds.map(([kind, number]) => {
    const sign = signOf(kind);
    return `${number} ${sign ? say(sign.word) : kind}`;
  });
  if (of.length > SQUARES) {
    return (
      <span className={s.counts}>
        {kinds.map(([kind, number]) => {
          const sign = signOf(kind);
          return (
            <span key={kind}>
              {sign && <Glyph sign={sign} alone />} {number}
            </span>
          );
        })}
      </span>
    );
  }
  const width = Math.max(1, of.length) * 11 - 1;
  return (
    <span className={s.cells}>
      <svg className="sq" viewBox={`0 0 ${width} 10`} width={width} height="10" role="img" aria-label={told.join(say('list.comma'))}>
        {of.map(({ item, outcome, gap }, index) => {
          const sign = signOf(outcome ?? gap ?? '');
          return sign && <use key={item} className={sign.tone} href={`#${sign.shape}`} x={index * 11} width="10" height="10" />;
        })}
      </svg>
    </span>
  );
}

function Length({ ms, late = false }: { ms: number | undefined; late?: boolean }) {
  const say = useSay();
  const { language } = usePrefs();
  return (
    <span className={`${s.num} ${late ? s.late : ''}`}>
      <span className={s.label}>{say(late ? 'run.late' : 'run.took')} </span>
      {ms === undefined ? <None /> : duration(ms, language)}
    </span>
  );
}

function Mark({ of, name }: { of: MarkRow; name: JobName }) {
  const { language } = usePrefs();
  return (
    <li className={s.mark}>
      {of.kind === 'version' ? (
        <span className={s.what}>
          <Say
            id="ledger.version"
            values={{ version: of.version.version }}
            parts={{
              who: (
                <b>
                  <bdi>{of.version.by}</bdi>
                </b>
              ),
            }}
          />
          {of.version.reason && (
            <>
              {' · '}
              <bdi>{of.version.reason}</bdi>
            </>
          )}{' '}
          {of.version.version > 1 && (
            <Link className="link" to="/jobs/$project/$job/versions" params={name} search={{ a: String(of.version.version - 1), b: String(of.version.version) }}>
              <Differs />
            </Link>
          )}
        </span>
      ) : (
        <span className={s.what}>
          <bdi>{of.change.sentence[language]}</bdi>
          {of.change.reason && (
            <>
              {' · '}
              <bdi>{of.change.reason}</bdi>
            </>
          )}
        </span>
      )}
      <Instant at={iso(of.at)} seconds />
    </li>
  );
}

function Differs() {
  return useSay()('versions.diff');
}

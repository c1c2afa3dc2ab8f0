/** The items of a fire over time: a row an item, a bar an attempt. A row that is chosen is told of beside it. */
import { Link } from '@tanstack/react-router';
import type { FireItem } from '../../api/history';
import { usePrefs, zoneOf } from '../../look/prefs';
import { Glyph, OUTCOMES, type Sign } from '../../parts/Glyph';
import { useNow } from '../../parts/now';
import { Panel } from '../../parts/Panel';
import { useReason } from '../../parts/Run';
import { clock, duration } from '../../words/format';
import { useSay } from '../../words/say';
import s from './Fire.module.css';
import { GAPS } from './gaps';
import { type Row, type Stretch, type Waterfall, waterfall } from './waterfall';

interface Props {
  items: readonly FireItem[];
  due: number;
  chosen: number;
}

export function WaterfallPanel({ items, due, chosen }: Props) {
  const say = useSay();
  const runs = items.some(({ gap }) => gap === 'running');
  const drawn = runs ? <Growing items={items} due={due} chosen={chosen} /> : <Drawn of={waterfall(items, due, due)} items={items} due={due} chosen={chosen} />;
  return (
    <Panel title={say('fire.waterfall')} side={<span className="hide-m">{say('fire.dashed')}</span>}>
      {drawn}
    </Panel>
  );
}

/** What runs grows each second. */
function Growing({ items, due, chosen }: Props) {
  const now = useNow('second');
  return <Drawn of={waterfall(items, due, now)} items={items} due={due} chosen={chosen} />;
}

const percent = (part: number) => `${(part * 100).toFixed(3)}%`;
const between = ({ from, to }: Stretch) => ({ left: percent(from), width: percent(to - from) });

function Drawn({ of, items, due, chosen }: Props & { of: Waterfall }) {
  const say = useSay();
  const { zone, language } = usePrefs();
  const at = (tick: number) => (tick - of.begin) / (of.end - of.begin);
  // Where lines lie closer than seconds, they say how long after the instant they are.
  const label = (tick: number) => (of.step < 1_000 ? `+${duration(Math.max(0, tick - due), language)}` : clock(tick, zoneOf(zone)).slice(0, of.step < 60_000 ? 8 : 5));
  return (
    <div className={s.wf}>
      <div className={s.axis} aria-hidden="true">
        <span>{say('run.item')}</span>
        <div className={s.track}>
          {of.ticks.map((tick) => (
            <span key={tick} style={{ left: percent(at(tick)) }}>
              {label(tick)}
            </span>
          ))}
        </div>
        <span>{say('run.outcome')}</span>
      </div>
      <ol>
        {of.rows.map((row, index) => {
          const item = items[index];
          return item && <Line key={row.item} row={row} item={item} of={of} isChosen={row.item === chosen} at={at} />;
        })}
      </ol>
    </div>
  );
}

interface LineProps {
  row: Row;
  item: FireItem;
  of: Waterfall;
  isChosen: boolean;
  at: (tick: number) => number;
}

const TONES = { running: 'run', succeeded: 'ok', failed: 'fail' } as const;

function Line({ row, item, of, isChosen, at }: LineProps) {
  const say = useSay();
  const { language } = usePrefs();
  const why = useReason();
  const sign = signOf(item);
  const outcome = item.outcome ?? undefined;
  const text = outcome ? why(outcome) : '';
  const began = item.attempts[item.attempts.length - 1]?.startedAt;
  const took = began && outcome ? duration(Date.parse(outcome.decidedAt) - Date.parse(began), language) : undefined;
  const tries = item.attempts.length;
  return (
    <li>
      <Link
        from="/fires/$project/$job/$fire"
        to="."
        search={(before) => ({ ...before, item: String(row.item) })}
        replace
        className={s.row}
        data-tall={tries > 1 || undefined}
        aria-current={isChosen ? 'true' : undefined}
      >
        <b className={s.nm}>
          <span className="sr">{say('run.item')} </span>
          {row.item}
        </b>
        <span className={s.lane} aria-hidden="true">
          {of.ticks.map((tick) => (
            <i key={tick} className={s.line} style={{ left: percent(at(tick)) }} />
          ))}
          {row.p95 !== undefined && <i className={s.p95} style={{ left: percent(row.p95) }} />}
          {row.hops.map((hop, index) => (
            <i key={index} className={s.hop} style={between(hop)} />
          ))}
          {row.bars.map((bar) => (
            <i key={bar.run} className={`${s.attempt} ${TONES[bar.state]}`} data-lane={bar.lane} data-past={bar.past || undefined}>
              {bar.wait && <i className={s.wait} style={between(bar.wait)} />}
              <i className={s.bar} data-state={bar.state} style={between(bar)} />
            </i>
          ))}
          {of.now !== undefined && <i className={s.now} style={{ left: percent(of.now) }} />}
        </span>
        <span className={s.out} title={text || undefined}>
          {sign && <Glyph sign={sign} />}
          <span>{sign ? say(sign.word) : (outcome?.outcome ?? item.gap)}</span>
          <span className="dim el">
            {[took, tries > 1 ? say('fire.tries', { count: tries }) : '', text].filter(Boolean).join(' · ')}
          </span>
        </span>
      </Link>
    </li>
  );
}

/** How an item of a fire stands. */
export function signOf(item: FireItem): Sign | undefined {
  return item.outcome ? OUTCOMES[item.outcome.outcome] : GAPS[item.gap ?? ''];
}

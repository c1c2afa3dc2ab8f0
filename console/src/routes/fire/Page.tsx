/** One fire of a job: what became of each item, by which attempts, and where the time went. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useParams, useSearch } from '@tanstack/react-router';
import { fire, type FireItem } from '../../api/history';
import { BalanceLine } from '../../parts/Balance';
import { Glyph } from '../../parts/Glyph';
import { Source } from '../../parts/Run';
import { Empty, More, Unseen } from '../../parts/States';
import { Instant } from '../../parts/Times';
import { Say, useSay } from '../../words/say';
import s from './Fire.module.css';
import { Item } from './Item';
import { WaterfallPanel } from './Waterfall';
import { worst } from './worst';

export function FirePage() {
  const say = useSay();
  const { project, job, fire: instant } = useParams({ from: '/shell/fires/$project/$job/$fire' });
  const { trigger, item: chosen } = useSearch({ from: '/shell/fires/$project/$job/$fire' });
  const at = Number(instant);
  if (!Number.isSafeInteger(at) || Math.abs(at) > LAST) return <Empty title={<h1>{say('fire.none')}</h1>} />;
  return <Fire name={{ project, job }} at={at} trigger={trigger} chosen={chosen === undefined ? undefined : Number(chosen)} />;
}

/** The last instant that has a date. */
const LAST = 8.64e15;

interface Props {
  name: { project: string; job: string };
  at: number;
  trigger: string | undefined;
  chosen: number | undefined;
}

function Fire({ name, at, trigger, chosen }: Props) {
  const say = useSay();
  const list = useInfiniteQuery(fire(name, at, trigger));
  const first = list.data?.pages[0];
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const shown = items.find(({ item }) => item === chosen) ?? items[0];
  const iso = new Date(at).toISOString();
  return (
    <>
      <header className={s.head}>
        <h1>
          <span>
            <Say id="fire.title" parts={{ at: <Instant at={iso} seconds /> }} />
          </span>
          {first && <State items={items} />}
        </h1>
        <p className={s.say}>
          <Link className="link" to="/jobs/$project/$job" params={name}>
            <bdi>{name.project}</bdi>/<bdi>{name.job}</bdi>
          </Link>
          {items[0]?.outcome && (
            <>
              {' · '}
              <Source of={items[0].outcome.source} />
            </>
          )}
          {trigger && (
            <>
              {' · '}
              <bdi className="mono">{trigger}</bdi>
            </>
          )}
        </p>
      </header>
      {!first || !shown ? (
        <Unseen query={list} what="fire.one" rows={8} />
      ) : (
        <>
          {first.balance && (
            <div className={s.balance}>
              <BalanceLine of={first.balance} word="fire.items" small />
            </div>
          )}
          {first.shared && <p className={s.note}>{say('runs.shared')}</p>}
          <div className={s.cols}>
            <div className={s.stack}>
              <WaterfallPanel items={items} due={at} chosen={shown.item} />
              <More list={list} />
            </div>
            <Item name={name} of={shown} due={at} />
          </div>
        </>
      )}
    </>
  );
}

/** How the fire stands: the worst of its items. */
function State({ items }: { items: readonly FireItem[] }) {
  const say = useSay();
  const sign = worst(items);
  if (!sign) return null;
  return (
    <span className={`${s.badge} ${sign.tone}`}>
      <Glyph sign={sign} />
      {say(sign.word)}
    </span>
  );
}

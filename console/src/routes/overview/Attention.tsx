/** What needs somebody, worst first, each with the place where one goes on. */
import { Link } from '@tanstack/react-router';
import type { Attention as One, Overview } from '../../api/history';
import { usePrefs } from '../../look/prefs';
import b from '../../parts/Button.module.css';
import { Glyph, Icon, OUTCOMES, type Sign, STATUSES, UNACCOUNTED } from '../../parts/Glyph';
import { Panel } from '../../parts/Panel';
import { Ago } from '../../parts/Times';
import type { MessageId } from '../../words/ids';
import { count } from '../../words/format';
import { useSay } from '../../words/say';
import s from './Overview.module.css';

type To = '/jobs/$project/$job' | '/jobs/$project/$job/runs' | '/jobs/$project/$job/ledger' | '/jobs/$project/$job/settings' | '/jobs/$project/$job/versions';

interface Kind {
  sign: Sign | undefined;
  to: To;
  word: MessageId;
  search?: Record<string, string>;
}

/** Of each kind of trouble its sign, and where its cause is seen. */
const KINDS: Readonly<Record<string, Kind>> = {
  unaccounted: { sign: UNACCOUNTED, to: '/jobs/$project/$job/ledger', word: 'tab.ledger' },
  noInstance: { sign: STATUSES['CRASHED'], to: '/jobs/$project/$job', word: 'attention.look' },
  failing: { sign: OUTCOMES['failed'], to: '/jobs/$project/$job/runs', word: 'tab.runs', search: { q: 'outcome:failed' } },
  missed: { sign: OUTCOMES['missed'], to: '/jobs/$project/$job/ledger', word: 'tab.ledger' },
  degraded: { sign: STATUSES['DEGRADED'], to: '/jobs/$project/$job/settings', word: 'tab.settings' },
  diverged: { sign: { shape: 's-drift', tone: 'miss', word: 'attention.diverged' }, to: '/jobs/$project/$job/versions', word: 'tab.versions' },
};
const OTHER: Kind = { sign: undefined, to: '/jobs/$project/$job', word: 'attention.look' };

export function Attention({ of }: { of: Overview }) {
  const say = useSay();
  const { language } = usePrefs();
  const total = of.attentionCount;
  if (total === 0) {
    return (
      <p className={`${s.well} ok t`}>
        <Icon shape="i-check" />
        {say('attention.none')}
      </p>
    );
  }
  return (
    <Panel
      title={
        <>
          {say('attention.title')} <span className={s.chip}>{count(total, language)}</span>
        </>
      }
      side={<span className="hide-m">{say('attention.order')}</span>}
    >
      <ul className={s.attention}>
        {of.attention.map((one) => (
          <Entry key={`${one.project}/${one.job} ${one.kind}`} of={one} />
        ))}
      </ul>
      {total > of.attention.length && <p className={s.more}>{say('attention.more', { count: total - of.attention.length })}</p>}
    </Panel>
  );
}

function Entry({ of }: { of: One }) {
  const say = useSay();
  const { language } = usePrefs();
  const kind = KINDS[of.kind] ?? OTHER;
  const params = { project: of.project, job: of.job };
  return (
    <li>
      {kind.sign ? <Glyph sign={kind.sign} /> : <span />}
      <div className={s.what}>
        <Link to="/jobs/$project/$job" params={params} className="link">
          <bdi>{of.project}</bdi>/<b><bdi>{of.job}</bdi></b>
        </Link>
        <p>
          <bdi>{of.sentence[language]}</bdi>
        </p>
      </div>
      <div className={s.do}>
        <span className={s.since}>{of.since && <Ago at={of.since} />}</span>
        <Link to={kind.to} params={params} search={kind.search ?? {}} className={`${b.btn} ${b.sm}`} aria-label={say('attention.go', { place: say(kind.word), job: `${of.project}/${of.job}` })}>
          {say(kind.word)}
        </Link>
      </div>
    </li>
  );
}

import { usePrefs, zoneOf } from '../look/prefs';
import { abbreviation, clock, instant, iso, relative, span } from '../words/format';
import { useSay } from '../words/say';
import { isNear, useNow } from './now';

interface Props {
  at: string;
  /** The job's own zone, for those who want to see each in its own. */
  zone?: string | undefined;
}

/** An instant, in the zone that was chosen; ISO in its title. */
export function Instant({ at, zone, seconds = false }: Props & { seconds?: boolean }) {
  const { language, zone: choice } = usePrefs();
  const now = useNow('minute');
  const ms = Date.parse(at);
  const shownIn = zoneOf(choice, zone);
  const mark = choice === 'job' ? ` ${abbreviation(ms, shownIn)}` : '';
  return (
    <time dateTime={at} title={iso(ms, shownIn)}>
      {instant(ms, { language, zone: shownIn, now }, seconds)}
      {mark}
    </time>
  );
}

/** Whether a schedule fires at other seconds than the first of a minute, so that its instants are told with seconds. */
export function hasSeconds(cron: string): boolean {
  return !/^\s*0\s/.test(cron);
}

/** How far away an instant is, with the instant itself in its title. */
export function Ago({ at, zone }: Props) {
  return <Relative at={at} zone={zone} show={relative} />;
}

/** How long until an instant: `22 h 47 min`, and `now` once it is there. */
export function Until({ at, zone }: Props) {
  const say = useSay();
  return <Relative at={at} zone={zone} show={(ms, now, language) => (ms > now ? span(ms - now, language) : say('time.now'))} />;
}

function Relative({ at, zone, show }: Props & { show: typeof relative }) {
  const { language, zone: choice } = usePrefs();
  const ms = Date.parse(at);
  const coarse = useNow('minute');
  const near = isNear(ms, coarse);
  const text = near ? <Ticking ms={ms} show={show} /> : show(ms, coarse, language);
  return (
    <time dateTime={at} title={iso(ms, zoneOf(choice, zone))}>
      {text}
    </time>
  );
}

function Ticking({ ms, show }: { ms: number; show: typeof relative }) {
  const { language } = usePrefs();
  return show(ms, useNow('second'), language);
}

/** The clock of the top bar. */
export function Clock({ zone }: { zone: string }) {
  return clock(useNow('second'), zone);
}

/** Nothing, said to those who do not see the dash. */
export function None() {
  const say = useSay();
  return (
    <span className="dim">
      <span aria-hidden="true">—</span>
      <span className="sr">{say('none')}</span>
    </span>
  );
}

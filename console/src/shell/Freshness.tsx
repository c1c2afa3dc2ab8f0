/** How fresh what is on screen is: a button that stops it and lets it go on, and a band when the server is out of reach. */
import { useQueryClient } from '@tanstack/react-query';
import { Button as AriaButton } from 'react-aria-components';
import { pause, tryNow, useHeard } from '../api/stream/follow';
import { state, type State } from '../api/stream/fresh';
import { usePrefs, zoneOf } from '../look/prefs';
import { Button } from '../parts/Button';
import { useNow } from '../parts/now';
import { clock, span } from '../words/format';
import { useSay } from '../words/say';
import s from './Shell.module.css';

export function Freshness() {
  const say = useSay();
  const { language, zone } = usePrefs();
  const client = useQueryClient();
  const heard = useHeard();
  const now = useNow('second');
  const is = state(heard, now);
  const age = span(Math.max(0, now - heard.at), language);
  const at = (ms: number) => clock(ms, zoneOf(zone));
  const words: Record<State, string> = {
    connecting: say('fresh.connecting'),
    live: say('fresh.live', { age }),
    catchingUp: say('fresh.catchingUp'),
    old: say('fresh.old', { age }),
    away: say('fresh.away', { since: at(heard.since || now) }),
    paused: say('fresh.paused', { at: at(heard.pausedAt) }),
  };
  return (
    <>
      <AriaButton
        className={s.pill ?? ''}
        onPress={() => (is === 'away' ? tryNow() : pause(is !== 'paused', client))}
        aria-label={say(is === 'paused' ? 'fresh.goOn' : is === 'away' ? 'fresh.tryNow' : 'fresh.stop', { state: words[is] })}
      >
        <i className={s.dot} data-state={is} />
        <span className={s.label}>{words[is]}</span>
      </AriaButton>
      <span className="sr" role="status">
        {say(`fresh.said.${is}`)}
      </span>
    </>
  );
}

/** What is shown is what was known: the server is out of reach. */
export function Away() {
  const say = useSay();
  const { zone } = usePrefs();
  const heard = useHeard();
  const now = useNow('second');
  const left = Math.max(0, Math.ceil((heard.againAt - now) / 1_000));
  return (
    <section className={s.band} aria-label={say('fresh.said.away')}>
      <span>{heard.at ? say('away.shown', { at: clock(heard.at, zoneOf(zone)) }) : say('away.nothing')}</span>
      <span className="mid">{say('away.next', { seconds: left })}</span>
      <Button small onPress={tryNow}>
        {say('away.now')}
      </Button>
    </section>
  );
}

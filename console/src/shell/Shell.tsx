/** What stands around every page: side bar, top bar, status bar, and the bottom bar of a small screen. */
import { Outlet, useRouterState } from '@tanstack/react-router';
import { useIsFetching } from '@tanstack/react-query';
import { type MouseEvent, useEffect, useRef, useState } from 'react';
import { useHeard } from '../api/stream/follow';
import { state } from '../api/stream/fresh';
import { ActSheet } from '../act/Sheet';
import { ToldRegion } from '../act/Told';
import { usePrefs } from '../look/prefs';
import { useNow } from '../parts/now';
import { useSay } from '../words/say';
import { Foot } from './Foot';
import { Away } from './Freshness';
import { useKeys } from './keys';
import { Palette } from './Palette';
import { SessionOver } from './SessionOver';
import s from './Shell.module.css';
import { BottomBar, Side } from './Side';
import { Top } from './Top';

export function Shell() {
  const say = useSay();
  const { narrow } = usePrefs();
  const main = useRef<HTMLElement>(null);
  const [finding, setFinding] = useState(false);
  const path = useRouterState({ select: (router) => router.location.pathname });
  const away = state(useHeard(), useNow('second')) === 'away';
  useKeys(() => setFinding(true));

  // Another page begins at its top.
  useEffect(() => {
    main.current?.scrollTo(0, 0);
  }, [path]);

  const skip = (event: MouseEvent) => {
    event.preventDefault();
    main.current?.focus();
  };
  return (
    <>
      <button type="button" className={s.skip} onClick={skip}>
        {say('shell.skip')}
      </button>
      <div className={s.app} data-narrow={narrow || undefined} data-band={away || undefined}>
        <Side />
        <Top onFind={() => setFinding(true)} busy={<Busy />} />
        <main className={s.main} id="main" tabIndex={-1} ref={main}>
          <Outlet />
        </main>
        {away && <Away />}
        <Foot />
        <BottomBar />
      </div>
      <Palette isOpen={finding} onOpenChange={setFinding} />
      <ActSheet />
      <ToldRegion />
      <SessionOver />
    </>
  );
}

/** A line under the top bar while something that is on screen is asked for again. */
function Busy() {
  const asking = useIsFetching({ predicate: (query) => query.state.data !== undefined && query.isActive() });
  return asking > 0 ? <div className={s.busy} /> : null;
}

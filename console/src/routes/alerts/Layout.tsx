/** Alerts and what stands behind them: silences, rules, channels. */
import { Link, Outlet } from '@tanstack/react-router';
import p from '../../parts/Page.module.css';
import { useSay } from '../../words/say';
import j from '../job/Job.module.css';

const CURRENT = { 'aria-current': 'page' as const };

export function AlertsLayout() {
  const say = useSay();
  return (
    <>
      <div className={p.head}>
        <h1>{say('place.alerts')}</h1>
      </div>
      <nav className={j.tabs} aria-label={say('place.alerts')}>
        <Link to="/alerts" activeOptions={{ exact: true, includeSearch: false }} activeProps={CURRENT}>
          {say('place.alerts')}
        </Link>
        <Link to="/alerts/silences" activeProps={CURRENT}>
          {say('alerts.silences')}
        </Link>
        <Link to="/alerts/rules" activeProps={CURRENT}>
          {say('alerts.rules')}
        </Link>
        <Link to="/alerts/channels" activeProps={CURRENT}>
          {say('alerts.channels')}
        </Link>
      </nav>
      <Outlet />
    </>
  );
}

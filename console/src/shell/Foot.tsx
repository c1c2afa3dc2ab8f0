import { useQuery } from '@tanstack/react-query';
import { can } from '../api/can';
import { session, system } from '../api/queries';
import { useHeard } from '../api/stream/follow';
import { Glyph, type Sign } from '../parts/Glyph';
import { useSay } from '../words/say';
import s from './Shell.module.css';

const WELL: Sign = { shape: 's-ok', tone: 'ok', word: 'status.ok' };
const AWAY: Sign = { shape: 's-bad', tone: 'miss', word: 'foot.away' };
const LOADS: Sign = { shape: 'g-wait', tone: 'wait', word: 'foot.loads' };

/** The status bar: quiet while all is well. */
export function Foot() {
  const say = useSay();
  const { ages } = useHeard();
  const me = useQuery(session).data;
  const sees = can(me, 'system.read');
  const servers = useQuery({ ...system, enabled: sees }).data;
  const states = Object.values(ages).map((age) => age.state);
  const away = states.filter((state) => state === 'away').length;
  const loads = states.filter((state) => state === 'loading' || state === 'catchingUp').length;
  const leader = servers?.servers.find((server) => server.leads);
  return (
    <footer className={s.foot}>
      {states.length > 0 && (
        <span>
          <Glyph sign={away ? AWAY : loads ? LOADS : WELL} />
          {away
            ? say('foot.registryAway', { count: away })
            : loads
              ? say('foot.registryLoads', { count: loads })
              : say('foot.registryWell', { count: states.length })}
        </span>
      )}
      <span className={s.push}>
        {servers &&
          (leader
            ? say('foot.servers', { count: servers.servers.length, host: leader.host, term: servers.term })
            : say('foot.noLeader', { count: servers.servers.length }))}
      </span>
      {leader && <span>{leader.version}</span>}
    </footer>
  );
}

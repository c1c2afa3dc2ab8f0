/** Which acts make sense now. Pure; what somebody may is asked besides. */
import type { Schemas } from '../api/client';
import { can, type Session } from '../api/can';
import { type ActName, ACTS } from './acts';

type Hold = Schemas['HoldView'];

/** What is known of a job when it is asked what can be done with it. */
export interface Known {
  /** `online`, `offline` or `removing`. */
  state: string;
  /** What stands still by somebody's wish, of the job and of all of its project. */
  holds: readonly Hold[];
}

/** Those of them that the role allows. */
export function allowed(acts: readonly ActName[], session: Session | undefined, project: string): ActName[] {
  return acts.filter((act) => can(session, ACTS[act].needs, project));
}

/** Whether a wish of this kind stands about the whole job. */
const stands = (holds: readonly Hold[], ...kinds: string[]) => holds.some((hold) => hold.scope === 'job' && kinds.includes(hold.kind));

/** What can be done with a job, the likeliest first. */
export function offersOf({ state, holds }: Known): ActName[] {
  if (state === 'removing') return [];
  if (state === 'offline') return ['online', 'remove'];
  const pause: ActName[] = stands(holds, 'pause', 'drain') ? ['resume'] : ['pause', 'drain'];
  const disable: ActName = stands(holds, 'disable') ? 'enable' : 'disable';
  return ['trigger', ...pause, disable, 'rebalance', 'offline', 'remove'];
}

/** What can be done with a host of a job. */
export function offersOfHost(ip: string, { state, holds }: Known, isEnabled: boolean): ActName[] {
  if (state !== 'online') return [];
  const here = holds.filter((hold) => hold.scope === 'host' && hold.target === ip);
  const drained = here.some((hold) => hold.kind === 'drain');
  return [drained ? 'resume' : 'drain', isEnabled ? 'disable' : 'enable'];
}

/** What can be done with an instance of a job. */
export function offersOfInstance({ state }: Known): ActName[] {
  return state === 'online' ? ['shutdown'] : [];
}

/** What can be done with an item. */
export function offersOfItem(item: { status: string; held?: unknown }, state: string): ActName[] {
  if (state !== 'online') return [];
  const acts: ActName[] = [item.status === 'DISABLED' ? 'itemEnable' : 'itemDisable'];
  return item.held ? ['itemResume', ...acts] : acts;
}

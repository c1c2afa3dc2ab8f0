/** The places of the console that can be gone to. A place is a row here once its pages are there. */
import { useQuery } from '@tanstack/react-query';
import { can, type Session, type Verb } from '../api/can';
import { session } from '../api/queries';
import type { MessageId } from '../words/ids';
import type { Shape } from '../parts/Sprite';

export interface Place {
  to: '/' | '/alerts' | '/jobs' | '/runs' | '/fleet' | '/projects' | '/audit' | '/settings/health';
  word: MessageId;
  shape: Shape;
  group: 'group.watch' | 'group.work' | 'group.govern';
  /** The letter that goes there, after `g`. */
  letter: string;
  /** What whoever goes there must be allowed to. */
  verb?: Verb;
}

export const PLACES: readonly Place[] = [
  { to: '/', word: 'place.overview', shape: 'i-over', group: 'group.watch', letter: 'o' },
  { to: '/alerts', word: 'place.alerts', shape: 'i-bell', group: 'group.watch', letter: 'a' },
  { to: '/jobs', word: 'place.jobs', shape: 'i-jobs', group: 'group.work', letter: 'j' },
  { to: '/runs', word: 'place.runs', shape: 'i-runs', group: 'group.work', letter: 'r' },
  { to: '/fleet', word: 'place.fleet', shape: 'i-fleet', group: 'group.work', letter: 'f' },
  { to: '/projects', word: 'place.projects', shape: 'i-proj', group: 'group.govern', letter: 'p' },
  { to: '/audit', word: 'place.audit', shape: 'i-audit', group: 'group.govern', letter: 'u' },
  { to: '/settings/health', word: 'place.health', shape: 'i-gear', group: 'group.govern', letter: 's', verb: 'system.read' },
];

/** The places that somebody may go to. */
export function placesOf(me: Session | undefined): readonly Place[] {
  return PLACES.filter(({ verb }) => !verb || can(me, verb));
}

export function usePlaces(): readonly Place[] {
  return placesOf(useQuery(session).data);
}

/** The place that an address belongs to: a job’s and a fire’s pages to the lists that lead there. */
export function placeOf(path: string): Place | undefined {
  if (path.startsWith('/fires/')) return PLACES.find(({ to }) => to === '/runs');
  return PLACES.find(({ to }) => path === to || (to !== '/' && path.startsWith(`${to}/`)));
}

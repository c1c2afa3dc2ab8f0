/** The places of the console that can be gone to. A place is a row here once its pages are there. */
import type { MessageId } from '../words/ids';
import type { Shape } from '../parts/Sprite';

export interface Place {
  to: '/jobs' | '/projects' | '/audit';
  word: MessageId;
  shape: Shape;
  group: 'group.work' | 'group.govern';
  /** The letter that goes there, after `g`. */
  letter: string;
}

export const PLACES: readonly Place[] = [
  { to: '/jobs', word: 'place.jobs', shape: 'i-jobs', group: 'group.work', letter: 'j' },
  { to: '/projects', word: 'place.projects', shape: 'i-proj', group: 'group.govern', letter: 'p' },
  { to: '/audit', word: 'place.audit', shape: 'i-audit', group: 'group.govern', letter: 'u' },
];

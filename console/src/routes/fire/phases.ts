/** Where the time of an item went, from its instant to its end. Pure. */
import type { FireItem } from '../../api/history';
import { endOf, ms } from './waterfall';

export type PhaseKind = 'claim' | 'start' | 'run' | 'earlier' | 'takeover';

export interface Phase {
  kind: PhaseKind;
  /** Of which attempt. */
  attempt: number;
  ms: number;
  /** It goes on. */
  open: boolean;
}

/** The phases in their order; those whose ends are not on record are left out. */
export function phases(item: FireItem, due: number, now: number): Phase[] {
  const found: Phase[] = [];
  const last = item.attempts.length - 1;
  let from = due;
  item.attempts.forEach((tried, index) => {
    const add = (kind: PhaseKind, until: number | undefined, open = false) => {
      if (until === undefined) return;
      if (until > from || kind === 'run') found.push({ kind, attempt: tried.attempt, ms: Math.max(0, until - from), open });
      from = Math.max(from, until);
    };
    add(index === 0 ? 'claim' : 'takeover', ms(tried.claimedAt));
    add('start', ms(tried.startedAt));
    const end = endOf(item, index);
    if (ms(tried.startedAt) === undefined && ms(tried.claimedAt) === undefined) return;
    if (index < last) add('earlier', end);
    else add('run', end ?? now, end === undefined);
  });
  return found;
}

/** The longest phase that is not the deciding run itself, if any took a part of the whole that is worth a word. */
export function lostIn(all: readonly Phase[]): Phase | undefined {
  const whole = all.reduce((sum, { ms }) => sum + ms, 0);
  const others = all.filter(({ kind }) => kind !== 'run');
  const longest = others.reduce<Phase | undefined>((most, one) => (one.ms > (most?.ms ?? 0) ? one : most), undefined);
  return longest && longest.ms >= WORTH && longest.ms * 10 >= whole ? longest : undefined;
}

/** What is shorter is not worth a word, milliseconds. */
const WORTH = 1_000;

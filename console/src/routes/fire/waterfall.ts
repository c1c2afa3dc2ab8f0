/** Where the bars of a fire lie: time from its instant on, a row an item, a bar an attempt. Pure: instants and the present are arguments. */
import type { FireItem } from '../../api/history';

type Tried = FireItem['attempts'][number];

/** From where to where, as parts of the whole, 0 to 1. */
export interface Stretch {
  from: number;
  to: number;
}

export interface Bar extends Stretch {
  run: string;
  /** How it stands: it runs on, or ended so. */
  state: 'running' | 'succeeded' | 'failed';
  /** Claimed and not begun until here, which is part of the bar's time before it. */
  wait: Stretch | undefined;
  /** A first attempt lies above, later ones below. */
  lane: 0 | 1;
  /** Another attempt followed it. */
  past: boolean;
}

export interface Row {
  item: number;
  bars: Bar[];
  /** From the end of an attempt to the claim of the next. */
  hops: Stretch[];
  /** Where nineteen of twenty successes of it have ended. */
  p95: number | undefined;
}

export interface Waterfall {
  begin: number;
  end: number;
  rows: Row[];
  /** Instants at which lines are drawn, and how far apart they are. */
  ticks: number[];
  step: number;
  /** Where the present lies, while something runs. */
  now: number | undefined;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE,
  30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR,
];
/** How many lines there are at most. */
const LINES = 5;
/** Below this many successes nothing is usual. */
const ENOUGH = 5;

/** How long a success usually takes at most, if enough were counted. */
export function usualOf({ usual }: FireItem): { p50: number; p95: number } | undefined {
  return usual && usual.count >= ENOUGH ? usual : undefined;
}

/** An instant that may not be on record. */
export const ms = (at: string | null | undefined) => (at ? Date.parse(at) : undefined);

/** When an attempt ended: as it was told, else when the next was claimed or the outcome decided; not while it runs. */
export function endOf(item: FireItem, index: number): number | undefined {
  const attempt = item.attempts[index];
  if (!attempt) return undefined;
  const told = ms(attempt.endedAt);
  if (told !== undefined) return told;
  const next = item.attempts[index + 1];
  if (next) return ms(next.claimedAt) ?? ms(next.startedAt);
  return attempt.state === 'running' ? undefined : ms(item.outcome?.decidedAt);
}

const beginOf = (attempt: Tried) => ms(attempt.startedAt) ?? ms(attempt.claimedAt);

const isState = (state: string): state is Bar['state'] => state === 'running' || state === 'succeeded' || state === 'failed';

export function waterfall(items: readonly FireItem[], due: number, present: number): Waterfall {
  const runs = items.some((item) => item.attempts.some((_, index) => endOf(item, index) === undefined));
  const all = items.flatMap((item) =>
    item.attempts.flatMap((attempt, index) => [ms(attempt.claimedAt), beginOf(attempt), endOf(item, index)]),
  );
  const usual = items.flatMap((item) => {
    const first = item.attempts[0] && beginOf(item.attempts[0]);
    const p95 = usualOf(item)?.p95;
    return first === undefined || p95 === undefined ? [] : [first + p95];
  });
  const known = [...all.filter((at) => at !== undefined), ...usual, ...(runs ? [present] : [])];
  const begin = known.reduce((least, at) => Math.min(least, at), due);
  const last = known.reduce((most, at) => Math.max(most, at), due);
  // Room at the right, and a length where all is one instant.
  const length = Math.max(1, last - begin) * 1.04;
  const end = begin + length;
  const part = (at: number) => Math.min(1, Math.max(0, (at - begin) / length));
  const step = STEPS.find((step) => length / step <= LINES) ?? Math.ceil(length / LINES / (24 * HOUR)) * 24 * HOUR;
  const first = Math.ceil(begin / step) * step;
  const ticks = Array.from({ length: Math.max(0, Math.floor((end - first) / step) + 1) }, (_, index) => first + index * step);
  return { begin, end, step, ticks, now: runs ? part(present) : undefined, rows: items.map((item) => row(item, part, present)) };
}

function row(item: FireItem, part: (at: number) => number, present: number): Row {
  const bars: Bar[] = [];
  const hops: Stretch[] = [];
  let before: number | undefined;
  item.attempts.forEach((attempt, index) => {
    const begin = beginOf(attempt);
    if (begin === undefined) return;
    const claimed = ms(attempt.claimedAt);
    const end = endOf(item, index);
    const at = part(begin);
    bars.push({
      run: attempt.run,
      state: isState(attempt.state) ? attempt.state : 'failed',
      from: at,
      to: part(end ?? present),
      wait: claimed !== undefined && claimed < begin ? { from: part(claimed), to: at } : undefined,
      lane: index === 0 ? 0 : 1,
      past: index < item.attempts.length - 1,
    });
    if (before !== undefined) hops.push({ from: part(before), to: part(claimed ?? begin) });
    before = end;
  });
  const first = item.attempts[0] && beginOf(item.attempts[0]);
  const p95 = usualOf(item)?.p95;
  return { item: item.item, bars, hops, p95: first !== undefined && p95 !== undefined ? part(first + p95) : undefined };
}

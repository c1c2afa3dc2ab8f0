/** When how much is due: minutes as cells, hours as rows, shades by how much. Pure. */
import { offset, wall } from '../../words/format';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** How many shades there are. */
export const SHADES = 5;

export interface Cell {
  row: number;
  column: number;
  /** 1 to {@link SHADES}. */
  shade: number;
}

export interface Heat {
  /** The hour that each row begins with, as a clock of the zone shows it. */
  hours: number[];
  /** Where something is due. */
  cells: Cell[];
  /** The minute in which most is due, if anything is. */
  peak: { at: number; row: number; column: number; items: number } | undefined;
  /** Where the first minute lies. */
  now: number;
}

/** The cells of a day from its first minute on. */
export function heat(items: readonly number[], from: number, zone: string): Heat {
  // One offset for all, so that no two minutes share a cell; each row says which hour it is by the clock.
  const ahead = offset(from, zone);
  const first = Math.floor((from + ahead) / HOUR);
  const placed = items.map((count, index) => {
    const at = from + index * MINUTE;
    const local = at + ahead;
    return { at, count, row: Math.floor(local / HOUR) - first, column: Math.floor((((local % HOUR) + HOUR) % HOUR) / MINUTE) };
  });
  const most = placed.reduce((best, one) => (one.count > best.count ? one : best), placed[0] ?? { at: 0, count: 0, row: 0, column: 0 });
  const rows = (placed[placed.length - 1]?.row ?? -1) + 1;
  return {
    hours: Array.from({ length: rows }, (_, row) => wall(Math.max(from, (first + row) * HOUR - ahead), zone).hour),
    cells: placed.filter(({ count }) => count > 0).map(({ row, column, count }) => ({ row, column, shade: shade(count, most.count) })),
    peak: most.count > 0 ? { at: most.at, row: most.row, column: most.column, items: most.count } : undefined,
    now: placed[0]?.column ?? 0,
  };
}

/** A shade by the root of the share, so that a single item beside a great peak is still seen. */
function shade(count: number, most: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(count / most) * SHADES));
}

/** The rows of a ledger, from outcomes, open instants and what was done to the job meanwhile. Pure. */
import type { Schemas } from '../../api/client';
import type { Unsettled } from '../../api/history';
import type { Run } from '../../api/queries';
import { WORST_FIRST } from '../../parts/Glyph';
import { fireOf, late, took } from '../../parts/Run';

type Change = Schemas['HistoryChange'];
type Version = Schemas['Version'];

/** What became of an item: an outcome, or why it has none. */
export interface Cell {
  item: number;
  outcome?: string;
  gap?: string;
}

/** One fire, with its items. */
export interface FireRow {
  kind: 'fire';
  at: number;
  /** The fire's id. */
  id: string;
  trigger: string | undefined;
  cells: Cell[];
  /** The outcome that is told of: the worst, of the lowest item. */
  worst: Run | undefined;
  /** How long the longest took, and how late the latest began, milliseconds. */
  took: number | undefined;
  late: number | undefined;
}

/** Fires in a row that never ran, or have no outcome: alike, and one row. */
export interface RangeRow {
  kind: 'range';
  at: number;
  to: number;
  id: string;
  count: number;
  cells: Cell[];
  worst: Run | undefined;
}

/** Fires in a row of which nothing is to be said but that all went well. */
export interface WellRow {
  kind: 'well';
  at: number;
  to: number;
  fires: number;
  items: number;
  took: number | undefined;
}

/** What was done to the job, or around it. */
export type MarkRow = { kind: 'mark'; at: number; change: Change } | { kind: 'version'; at: number; version: Version };

export type Row = FireRow | RangeRow | WellRow | MarkRow;

/** From how many on fires that went well are one row. */
const FOLDED = 3;

const ms = (at: string) => Date.parse(at);

export function rows(settled: readonly Run[], open: readonly Unsettled[], marks: readonly MarkRow[]): Row[] {
  const fires = new Map<string, FireRow & { runs: Run[] }>();
  const ranges = new Map<string, RangeRow>();
  const fireRow = (id: string, at: number, trigger: string | undefined) => {
    let found = fires.get(id);
    if (!found) fires.set(id, (found = { kind: 'fire', at, id, trigger, cells: [], worst: undefined, took: undefined, late: undefined, runs: [] }));
    return found;
  };
  const rangeOf = (key: string, row: Omit<RangeRow, 'kind' | 'cells'>) => {
    let found = ranges.get(key);
    if (!found) ranges.set(key, (found = { kind: 'range', cells: [], ...row }));
    return found;
  };
  for (const run of settled) {
    const cell = { item: run.item, outcome: run.outcome };
    if (run.count > 1) {
      const at = ms(run.from ?? run.fireAt);
      const key = `${at} ${run.fire} ${run.outcome} ${run.code ?? ''}`;
      rangeOf(key, { at, to: ms(run.fireAt), id: run.fire, count: run.count, worst: run }).cells.push(cell);
    } else {
      const row = fireRow(run.fire, ms(run.fireAt), fireOf(run.fire).trigger);
      row.cells.push(cell);
      row.runs.push(run);
    }
  }
  for (const one of open) {
    const cell = { item: one.item, gap: one.gap };
    const at = ms(one.from);
    if (one.count > 1) {
      rangeOf(`${at} ${one.to} ${one.gap}`, { at, to: ms(one.to), id: String(ms(one.to)), count: one.count, worst: undefined }).cells.push(cell);
    } else {
      const trigger = one.trigger ?? undefined;
      fireRow(trigger ? `${at}/${trigger}` : String(at), at, trigger).cells.push(cell);
    }
  }
  const all: Row[] = [...[...fires.values()].map(summed), ...ranges.values(), ...marks];
  for (const row of all) if ('cells' in row) row.cells.sort((one, other) => one.item - other.item);
  return folded(all.sort((one, other) => other.at - one.at));
}

function summed({ runs, ...row }: FireRow & { runs: Run[] }): FireRow {
  return {
    ...row,
    worst: runs.reduce<Run | undefined>((worst, run) => (worst && rank(worst) <= rank(run) ? worst : run), undefined),
    took: most(runs.map(took)),
    late: most(runs.map(late)),
  };
}

/** The greatest that is known. */
function most(all: readonly (number | undefined)[]): number | undefined {
  return all.reduce((most, one) => (one !== undefined && one > (most ?? -1) ? one : most), undefined);
}

const rank = ({ outcome }: Run) => (WORST_FIRST.indexOf(outcome) + WORST_FIRST.length) % WORST_FIRST.length;

/** Whether a fire is as it should be, and as its neighbours: on time, all well, at the first attempt. */
function isWell(row: Row): row is FireRow {
  return row.kind === 'fire' && row.trigger === undefined && row.cells.every(({ outcome }) => outcome === 'succeeded') && row.worst?.attempt === 1;
}

/** Rows, newest first, with those that went well in a row as one. */
function folded(all: readonly Row[]): Row[] {
  const found: Row[] = [];
  let well: FireRow[] = [];
  const close = () => {
    const [newest] = well;
    const oldest = well[well.length - 1];
    if (newest && oldest && well.length >= FOLDED) {
      const longest = most(well.map(({ took }) => took));
      found.push({ kind: 'well', at: oldest.at, to: newest.at, fires: well.length, items: newest.cells.length, took: longest });
    } else found.push(...well);
    well = [];
  };
  for (const row of all) {
    if (isWell(row) && (well.length === 0 || well[0]?.cells.length === row.cells.length)) well.push(row);
    else {
      close();
      if (isWell(row)) well.push(row);
      else found.push(row);
    }
  }
  close();
  return found;
}

/** Whether a row has something of a kind: an outcome, `running`, or `unaccounted`. Marks stand between all rows only. */
export function has(row: Row, term: string): boolean {
  if (row.kind === 'well') return term === 'succeeded';
  if (!('cells' in row)) return false;
  return row.cells.some(({ outcome, gap }) => outcome === term || gapTerm(gap) === term);
}

/** The term of the balance that an open instant counts in; none for those of which nobody knows whether they were due. */
export function gapTerm(gap: string | undefined): 'running' | 'unaccounted' | undefined {
  if (gap === 'running' || gap === 'due') return 'running';
  return gap === 'open' ? 'unaccounted' : undefined;
}

/** How many cells are of which kind, in the order in which they are told: worst first. */
export function counted(cells: readonly Cell[]): [kind: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { outcome, gap } of cells) {
    const kind = outcome ?? gap ?? '';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const place = (kind: string) => WORST_FIRST.indexOf(kind) + 1;
  return [...counts].sort(([one], [other]) => place(one) - place(other));
}

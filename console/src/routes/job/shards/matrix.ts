/** Who has which item: columns of instances or hosts, and a tile for each item. Pure. */
import type { Schemas } from '../../../api/client';
import type { Sign } from '../../../parts/Glyph';

export type LiveJob = Schemas['LiveJob'];
export type LiveItem = Schemas['LiveItem'];
export type LiveInstance = Schemas['LiveInstance'];
export type By = 'instance' | 'host';

export interface Column {
  /** The id of an instance, or the address of a host. */
  id: string;
  ip: string;
  /** Those that are there; none of a column that is gone, or that would come. */
  instances: readonly LiveInstance[];
  /** Items that the plan gives it. */
  items: number;
  kind: 'live' | 'gone' | 'new';
  /** An operator keeps the job off its host. */
  isOff: boolean;
}

export interface Row {
  item: LiveItem;
  /** What the job's settings call it. */
  name: string;
  /** The column of whoever has it; `undefined` when nobody does. */
  column: string | undefined;
  /** The column of whoever had it, when somebody took it over. */
  before: string | undefined;
  sign: Sign;
}

/** The host of an instance, by its id. */
export function ipOf(id: string): string {
  return id.split('@-@')[0] ?? id;
}

const keyOf = (id: string, by: By) => (by === 'host' ? ipOf(id) : id);

/** Who has an item now: whoever took it over, else whom the plan gives it to. */
export const ownerOf = (item: LiveItem) => item.takenBy ?? item.owner ?? undefined;

/** The columns: those that are there, then those that are gone and that an item still names, then those that would come. */
export function columns(job: LiveJob, by: By, coming: readonly string[] = []): Column[] {
  const named = new Set(job.items.flatMap((item) => [item.owner, item.takenBy].filter((id): id is string => Boolean(id))));
  const there = new Set(job.instances.map((instance) => keyOf(instance.id, by)));
  const gone = [...named].map((id) => keyOf(id, by)).filter((id) => !there.has(id));
  const off = new Set(job.hosts.filter((host) => !host.enabled).map((host) => host.ip));
  // Counted once: there may be many items, and many columns.
  const counts = new Map<string, number>();
  for (const { owner } of job.items) if (owner) counts.set(keyOf(owner, by), (counts.get(keyOf(owner, by)) ?? 0) + 1);
  const column = (id: string, kind: Column['kind']): Column => {
    const instances = job.instances.filter((instance) => keyOf(instance.id, by) === id);
    const ip = ipOf(id);
    return { id, ip, instances, items: counts.get(id) ?? 0, kind, isOff: off.has(ip) };
  };
  return [
    ...[...there].map((id) => column(id, 'live')),
    ...[...new Set(gone)].sort().map((id) => column(id, 'gone')),
    ...[...coming].sort().map((id) => column(id, 'new')),
  ];
}

/** The names of items: `0=north,1=south`. */
export function parameters(text: string | undefined): ReadonlyMap<number, string> {
  const pairs = (text ?? '').split(',').flatMap((part): [number, string][] => {
    const pair = /^\s*(\d+)\s*=(.*)$/.exec(part);
    return pair ? [[Number(pair[1]), (pair[2] ?? '').trim()]] : [];
  });
  return new Map(pairs);
}

export function rows(job: LiveJob, by: By, names: ReadonlyMap<number, string>): Row[] {
  const there = new Set(job.instances.map((instance) => instance.id));
  return job.items.map((item) => {
    const owner = ownerOf(item);
    const before = item.takenBy && item.owner && item.takenBy !== item.owner ? keyOf(item.owner, by) : undefined;
    return { item, name: names.get(item.item) ?? '', column: owner && keyOf(owner, by), before, sign: signOfItem(item, there) };
  });
}

const TILES = {
  disabled: { shape: 's-off', tone: 'skip', word: 'tile.disabled' },
  held: { shape: 's-none', tone: 'un', word: 'tile.held' },
  orphaned: { shape: 's-none', tone: 'miss', word: 'tile.orphaned' },
  taken: { shape: 's-run', tone: 'run', word: 'tile.taken' },
  running: { shape: 's-run', tone: 'run', word: 'tile.running' },
  nobody: { shape: 's-none', tone: 'un', word: 'tile.nobody' },
  gone: { shape: 's-reshard', tone: 'miss', word: 'tile.gone' },
  misfired: { shape: 'g-miss', tone: 'miss', word: 'tile.misfired' },
  asked: { shape: 'g-wait', tone: 'run', word: 'tile.asked' },
  succeeded: { shape: 'g-ok', tone: 'ok', word: 'outcome.succeeded' },
  failed: { shape: 'g-fail', tone: 'fail', word: 'outcome.failed' },
  cancelled: { shape: 'g-canc', tone: 'canc', word: 'outcome.cancelled' },
  waiting: { shape: 's-ok', tone: 'skip', word: 'tile.waiting' },
} as const satisfies Record<string, Sign>;

/** How an item stands: what needs somebody first, then what runs, then how it last ended. */
export function signOfItem(item: LiveItem, there: ReadonlySet<string>): Sign {
  if (item.held) return TILES.held;
  if (item.status === 'DISABLED') return TILES.disabled;
  if (item.orphaned && !item.takenBy) return TILES.orphaned;
  if (item.running) return item.takenBy ? TILES.taken : TILES.running;
  const owner = ownerOf(item);
  if (owner === undefined) return TILES.nobody;
  if (!there.has(owner)) return TILES.gone;
  if (item.waitingTrigger) return TILES.asked;
  if (item.misfired) return TILES.misfired;
  const outcome = item.last?.outcome;
  return outcome === 'succeeded' || outcome === 'failed' || outcome === 'cancelled' ? TILES[outcome] : TILES.waiting;
}

/** The newest outcomes of each item, the newest first. */
export function newest(runs: readonly Schemas['Run'][], most: number): ReadonlyMap<number, string[]> {
  const found = new Map<number, string[]>();
  for (const run of runs) {
    const all = found.get(run.item) ?? [];
    if (all.length < most) found.set(run.item, [...all, run.outcome]);
  }
  return found;
}

/** The rows of the list: only those that are seen are in the document, however many there are. One stop of the tab key; arrows go from row to row. */
import { useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { JobPage } from '../../api/queries';
import { useSmall } from '../../parts/media';
import type { MessageId } from '../../words/ids';
import { useSay } from '../../words/say';
import s from './Jobs.module.css';
import { JobLine } from './JobLine';
import { rowKey, type Sort, sortOf } from './search';

interface Props {
  pages: readonly JobPage[];
  /** How many rows there are in all. */
  count: number;
  sort: string;
  onSort: (sort: string) => void;
  /** Which are selected; nothing when none can be. */
  picked: ReadonlySet<string> | undefined;
  onPick: (keys: readonly string[], isOn: boolean) => void;
  /** The last row that is there comes into view. */
  onEnd: () => void;
}

interface Column {
  word: MessageId;
  by?: Sort;
  look?: string | undefined;
}

const COLUMNS: readonly Column[] = [
  { word: 'jobs.column.job', by: 'name' },
  { word: 'jobs.column.schedule' },
  { word: 'jobs.column.next', by: 'next' },
  { word: 'jobs.column.outcomes', by: 'last' },
  { word: 'jobs.column.took', look: `${s.num} ${s.wide}` },
  { word: 'jobs.column.items', look: s.num },
  { word: 'jobs.column.changed', by: 'changed', look: s.wide },
];

/** Heights of a row and of what lies between two, by the size of the screen. */
const ROOMY = { row: 42, gap: 0 };
const SMALL = { row: 88, gap: 8 };

export function Grid({ pages, count, sort, onSort, picked, onPick, onEnd }: Props) {
  const say = useSay();
  const size = useSmall() ? SMALL : ROOMY;
  const rows = pages.flatMap((page) => page.items);
  const body = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  const [current, setCurrent] = useState(0);
  const navigate = useNavigate();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => document.getElementById('main'),
    estimateSize: () => size.row + size.gap,
    overscan: 8,
    scrollMargin: margin,
  });
  useLayoutEffect(() => {
    const main = document.getElementById('main');
    if (body.current && main) {
      setMargin(body.current.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop);
    }
    virtual.measure();
  }, [size, virtual]);
  const seen = virtual.getVirtualItems();
  const last = seen[seen.length - 1]?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - 20) onEnd();
  }, [last, rows.length, onEnd]);

  const go = (to: number) => {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    setCurrent(index);
    virtual.scrollToIndex(index);
    requestAnimationFrame(() => body.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus());
  };
  const press = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(window.innerHeight / (size.row + size.gap)) - 6);
    const steps: Record<string, number> = {
      ArrowDown: current + 1, j: current + 1, ArrowUp: current - 1, k: current - 1,
      PageDown: current + page, PageUp: current - page, Home: 0, End: rows.length - 1,
    };
    const to = steps[event.key];
    const row = rows[current];
    if (to !== undefined) {
      event.preventDefault();
      go(to);
    } else if (event.key === 'x' && row && picked) {
      onPick([rowKey(row)], !picked.has(rowKey(row)));
    } else if (event.key === 'Enter' && row) {
      void navigate({ to: '/jobs/$project/$job', params: { project: row.project, job: row.name } });
    }
  };
  const order = sortOf(sort);
  return (
    <div role="grid" aria-label={say('jobs.title')} aria-rowcount={count + 1} aria-colcount={COLUMNS.length + (picked ? 2 : 1)} aria-multiselectable={picked !== undefined}>
      <div role="row" aria-rowindex={1} className={`${s.grid} ${s.thead}`} data-picks={picked && ''}>
        {picked && (
          <div role="columnheader" className={s.pick}>
            <label>
              <input
                type="checkbox"
                aria-label={say('bulk.pickLoaded')}
                checked={rows.length > 0 && rows.every((row) => picked.has(rowKey(row)))}
                onChange={(event) => onPick(rows.map(rowKey), event.target.checked)}
              />
            </label>
          </div>
        )}
        <Head column={{ word: 'jobs.column.state', by: 'status' }} order={order} onSort={onSort} bare />
        {COLUMNS.map((column) => (
          <Head key={column.word} column={column} order={order} onSort={onSort} />
        ))}
      </div>
      <div role="rowgroup" ref={body} className={s.body} style={{ height: virtual.getTotalSize() }} onKeyDown={press}>
        {seen.map(({ index, start }) => {
          const row = rows[index];
          return (
            row && (
              <JobLine
                key={`${row.project}/${row.name}`}
                row={row}
                index={index}
                isPicked={picked?.has(rowKey(row))}
                onPick={onPick}
                isCurrent={index === Math.min(current, rows.length - 1)}
                onFocus={setCurrent}
                top={start - margin}
              />
            )
          );
        })}
      </div>
      {rows.length < count && <p className={s.more}>{say('jobs.more', { shown: rows.length, count })}</p>}
    </div>
  );
}

interface HeadProps {
  column: Column;
  order: { by: Sort; backwards: boolean };
  onSort: (sort: string) => void;
  /** It has no room for its word. */
  bare?: boolean;
}

/** The head of a column; pressed, it orders by it, and pressed again, backwards. */
function Head({ column, order, onSort, bare = false }: HeadProps) {
  const say = useSay();
  const { by } = column;
  const isOn = by === order.by;
  const sorted = isOn ? (order.backwards ? 'descending' : 'ascending') : 'none';
  const arrow = isOn ? (order.backwards ? ' ↓' : ' ↑') : '';
  const word = <span className={bare ? 'sr' : undefined}>{say(column.word)}</span>;
  return (
    <div role="columnheader" aria-sort={by ? sorted : undefined} className={column.look} title={say(column.word)}>
      {by ? (
        <button type="button" onClick={() => onSort(isOn && !order.backwards ? `-${by}` : by)}>
          {word}
          {arrow}
        </button>
      ) : (
        word
      )}
    </div>
  );
}

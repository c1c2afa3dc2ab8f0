/** Items by who has them. One stop of the tab key; arrows go from item to item, `d` asks to disable or enable the one in focus. */
import { useQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useLayoutEffect, useRef, useState } from 'react';
import { ActMenu } from '../../../act/Bar';
import { ask } from '../../../act/desk';
import { allowed, type Known, offersOfHost, offersOfInstance, offersOfItem } from '../../../act/offers';
import type { Schemas } from '../../../api/client';
import { type JobName, session } from '../../../api/queries';
import { Button } from '../../../parts/Button';
import { Glyph, Icon } from '../../../parts/Glyph';
import { Strip } from '../../../parts/Strip';
import { Ago, None } from '../../../parts/Times';
import { useSay } from '../../../words/say';
import type { Column, Row } from './matrix';
import m from './Shards.module.css';

interface Props {
  name: JobName;
  columns: readonly Column[];
  rows: readonly Row[];
  /** Each item names its owner, instead of a column an owner. */
  asList: boolean;
  known: Known | undefined;
  ended: ReadonlyMap<number, readonly string[]>;
  /** What is supposed, if something is. */
  then: Schemas['WhatIf'] | undefined;
  leaving: readonly string[];
  onSuppose: (instance: string) => void;
}

const ROW = 34;
const LIST_ROW = 44;

export function Matrix(props: Props) {
  const { name, columns, rows, asList, known, then } = props;
  const say = useSay();
  const me = useQuery(session).data;
  const body = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  const [current, setCurrent] = useState(0);
  const height = asList ? LIST_ROW : ROW;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => document.getElementById('main'),
    estimateSize: () => height,
    overscan: 12,
    scrollMargin: margin,
  });
  useLayoutEffect(() => {
    const main = document.getElementById('main');
    if (body.current && main) setMargin(body.current.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop);
    virtual.measure();
  }, [virtual, height]);
  const moves = new Map((then?.moves ?? []).map((move) => [move.item, move.to ?? '']));
  const acts = (row: Row) => allowed(offersOfItem(row.item, known?.state ?? ''), me, name.project);

  const go = (to: number) => {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    setCurrent(index);
    virtual.scrollToIndex(index);
    requestAnimationFrame(() => body.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus());
  };
  const press = (event: KeyboardEvent) => {
    if (event.target instanceof Element && event.target.closest('button')) return;
    const steps: Record<string, number> = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: rows.length - 1 };
    const to = steps[event.key];
    const row = rows[current];
    const act = event.key === 'd' && row ? acts(row).find((one) => one !== 'itemResume') : undefined;
    if (to !== undefined) go(to);
    else if (act && row) ask(act, { ...name, item: row.item.item });
    else return;
    event.preventDefault();
  };
  const template = asList ? undefined : { gridTemplateColumns: `132px repeat(${columns.length}, minmax(104px, 1fr)) 112px 44px` };
  return (
    <div className={m.scroll}>
      <div role="grid" aria-label={say('shards.title')} aria-rowcount={rows.length + 1} className={asList ? m.list : m.matrix}>
        <div role="row" className={`${m.row} ${m.head}`} style={template}>
          <div role="columnheader">{say('shards.item')}</div>
          {asList ? (
            <div role="columnheader">{say('shards.owner')}</div>
          ) : (
            columns.map((column) => <Head key={column.id} {...props} column={column} />)
          )}
          <div role="columnheader">{say('shards.last')}</div>
          <div role="columnheader">
            <span className="sr">{say('act.what')}</span>
          </div>
        </div>
        <div role="rowgroup" ref={body} className={m.body} style={{ height: virtual.getTotalSize() }} onKeyDown={press}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index];
            return (
              row && (
                <div
                  key={row.item.item}
                  role="row"
                  aria-rowindex={index + 2}
                  data-index={index}
                  className={`${m.row} ${m.item}`}
                  style={{ ...template, height, transform: `translateY(${start - margin}px)` }}
                  tabIndex={index === Math.min(current, rows.length - 1) ? 0 : -1}
                  onFocus={() => setCurrent(index)}
                >
                  <div role="gridcell" className={m.name}>
                    <b>{row.item.item}</b>
                    <bdi className="el">{row.name}</bdi>
                  </div>
                  {asList ? (
                    <div role="gridcell" className={m.owner}>
                      <Tile row={row} />
                      <bdi className="el dim">{row.column ?? <None />}</bdi>
                    </div>
                  ) : (
                    columns.map((column) => (
                      <div key={column.id} role="gridcell" className={m.cell} data-gone={column.kind === 'gone' || props.leaving.includes(column.id) || undefined}>
                        {row.column === column.id || (row.column === undefined && column === columns[0]) ? (
                          <Tile row={row} />
                        ) : row.before === column.id ? (
                          <span className={`${m.tile} ${m.was}`}>{say('tile.before')}</span>
                        ) : (
                          moves.get(row.item.item) === column.id && (
                            <span className={`${m.tile} ${m.would}`}>
                              <Icon shape="i-arrow" />
                              {say('tile.wouldGet')}
                            </span>
                          )
                        )}
                      </div>
                    ))
                  )}
                  <div role="gridcell" className={m.strip}>
                    <Strip outcomes={props.ended.get(row.item.item) ?? []} most={10} />
                  </div>
                  <div role="gridcell">
                    <ActMenu small of={acts(row).map((act) => ({ act, subject: { ...name, item: row.item.item } }))} label={say('shards.acts', { item: row.item.item })} />
                  </div>
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** How an item stands, where it stands. */
function Tile({ row: { item, sign } }: { row: Row }) {
  const say = useSay();
  return (
    <span className={`${m.tile} ${sign.tone}`} data-quiet={sign.tone === 'ok' || sign.word === 'tile.waiting' || undefined} title={item.held?.reason ?? item.last?.reason}>
      <Glyph sign={sign} />
      <span className="el">{say(sign.word)}</span>
    </span>
  );
}

/** The head of a column: who it is, since when it is there, and what can be done with its host. */
function Head({ name, column, known, leaving, onSuppose }: Props & { column: Column }) {
  const say = useSay();
  const me = useQuery(session).data;
  const { id, ip, instances, items, kind, isOff } = column;
  const [first] = instances;
  const may = known && kind === 'live' ? known : undefined;
  const acts = [
    ...(may ? allowed(offersOfHost(ip, may, !isOff), me, name.project).map((act) => ({ act, subject: { ...name, host: ip } })) : []),
    ...(may && first && id !== ip ? allowed(offersOfInstance(may), me, name.project).map((act) => ({ act, subject: { ...name, instance: id } })) : []),
  ];
  const state =
    kind === 'gone' ? say('column.gone') : kind === 'new' ? say('column.new') : isOff ? say('column.off') : first?.leader ? say('column.leader') : say('column.live');
  return (
    <div role="columnheader" className={m.col} data-gone={kind === 'gone' || leaving.includes(id) || undefined} title={id}>
      <b className="el">{kind === 'gone' ? <s>{ip}</s> : ip}</b>
      {id !== ip && <code className="el">{id.slice(ip.length)}</code>}
      <span className={kind === 'gone' ? 'miss t' : 'dim'}>{state}</span>
      {kind === 'live' && (
        <span className="dim el">
          {say('column.items', { count: items })}
          {first?.kind === 'java' && ` · ${say('column.java')}`}
          {first?.since && (
            <>
              {' · '}
              <Ago at={first.since} />
            </>
          )}
        </span>
      )}
      {kind === 'live' && (
        <span className={m.tools}>
          {first && (
            <Button small look="quiet" onPress={() => onSuppose(instances.map((instance) => instance.id).join(','))} aria-label={say('whatif.leaves', { id })}>
              {say('whatif.short')}
            </Button>
          )}
          <ActMenu small of={acts} label={say('column.acts', { id })} />
        </span>
      )}
    </div>
  );
}

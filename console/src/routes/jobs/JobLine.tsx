import { Link, useNavigate } from '@tanstack/react-router';
import { memo } from 'react';
import type { JobRow } from '../../api/queries';
import { usePrefs } from '../../look/prefs';
import { Glyph, signOf } from '../../parts/Glyph';
import { Strip } from '../../parts/Strip';
import { Ago, hasSeconds, Instant, None, Until } from '../../parts/Times';
import { duration, zoneName } from '../../words/format';
import { useSay } from '../../words/say';
import s from './Jobs.module.css';
import { rowKey } from './search';

interface Props {
  row: JobRow;
  index: number;
  /** Whether it is selected; nothing when none can be. */
  isPicked: boolean | undefined;
  onPick: (keys: readonly string[], isOn: boolean) => void;
  isCurrent: boolean;
  onFocus: (index: number) => void;
  top: number;
}

/** From how many failures in a row on a job is said to fail. */
const FAILING = 3;

/** One job in the list. Cells are plain, for there may be many. */
export const JobLine = memo(function JobLine({ row, index, isPicked, onPick, isCurrent, onFocus, top }: Props) {
  const say = useSay();
  const { language } = usePrefs();
  const navigate = useNavigate();
  const params = { project: row.project, job: row.name };
  const sign = signOf({ status: row.status ?? null, running: row.items.running > 0 });
  const streak = row.last?.streak ?? 0;
  const zone = row.schedule.zone || undefined;
  const open = () => {
    if (getSelection()?.isCollapsed !== false) void navigate({ to: '/jobs/$project/$job', params });
  };
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      data-picks={isPicked === undefined ? undefined : ''}
      data-picked={isPicked || undefined}
      aria-selected={isPicked}
      className={`${s.grid} ${s.row}`}
      style={{ transform: `translateY(${top}px)` }}
      tabIndex={isCurrent ? 0 : -1}
      onFocus={() => onFocus(index)}
      onClick={open}
    >
      {isPicked !== undefined && (
        <div role="gridcell" className={s.pick} onClick={(event) => event.stopPropagation()}>
          <label>
            <input
              type="checkbox"
              tabIndex={-1}
              aria-label={say('bulk.pick', { name: rowKey(row) })}
              checked={isPicked}
              onChange={(event) => onPick([rowKey(row)], event.target.checked)}
            />
          </label>
        </div>
      )}
      <div role="gridcell" className={s.state}>
        <Glyph sign={sign} alone />
      </div>
      <div role="gridcell" className={s.name}>
        <span className={s.two}>
          <Link to="/jobs/$project/$job" params={params} tabIndex={-1} onClick={(event) => event.stopPropagation()}>
            <bdi className="dim">{row.project}</bdi>
            <span className="dim">/</span>
            <b>
              <bdi>{row.name}</bdi>
            </b>
          </Link>
          <small>
            {streak >= FAILING ? (
              <span className="fail t">{say('jobs.streak', { count: streak })} · </span>
            ) : (
              row.status !== 'OK' && <span className={`${sign.tone} t`}>{say(sign.word)} · </span>
            )}
            {row.kind.toLowerCase()}
            {row.tags.length > 0 && (
              <>
                {' · '}
                <bdi>{row.tags.join(' ')}</bdi>
              </>
            )}
          </small>
        </span>
      </div>
      <div role="gridcell" className={s.schedule}>
        <span className={s.two}>
          <span>
            {(streak >= FAILING || sign.word !== 'status.ok') && (
              <span className={`only-m t b ${streak >= FAILING ? 'fail' : sign.tone}`}>
                {streak >= FAILING ? say('jobs.streak', { count: streak }) : say(sign.word)} ·{' '}
              </span>
            )}
            {row.schedule.sentence?.[language] ?? <None />}
            {zone && <span className="dim"> · {zoneName(zone)}</span>}
          </span>
          <small className="mono">{row.schedule.cron}</small>
        </span>
      </div>
      <div role="gridcell" className={s.next}>
        {row.schedule.nextFireAt && row.state === 'online' ? (
          <span className={s.two}>
            <span>
              <Until at={row.schedule.nextFireAt} zone={zone} />
            </span>
            <small>
              <Instant at={row.schedule.nextFireAt} zone={zone} seconds={hasSeconds(row.schedule.cron)} />
            </small>
          </span>
        ) : row.state === 'online' ? (
          <None />
        ) : (
          <span className="dim">{say(row.state === 'offline' ? 'state.offline' : 'state.removing')}</span>
        )}
      </div>
      <div role="gridcell" className={s.strip}>
        <Strip outcomes={row.outcomes ?? []} />
      </div>
      <div role="gridcell" className={`${s.num} ${s.wide} ${s.hide}`}>
        {row.last?.took == null ? <None /> : duration(row.last.took, language)}
      </div>
      <div role="gridcell" className={`${s.num} ${s.hide}`}>
        <span className={s.two}>
          <span>{row.items.total}</span>
          <small className={row.instances === 0 && row.state === 'online' ? s.zero : undefined}>
            {row.instances === 0 ? say('jobs.noneLive') : say('jobs.on', { count: row.instances })}
          </small>
        </span>
      </div>
      <div role="gridcell" className={`${s.wide} ${s.hide}`}>
        <span className={s.two}>
          <bdi>{row.changedBy}</bdi>
          <small>
            <Ago at={row.changedAt} />
          </small>
        </span>
      </div>
    </div>
  );
});

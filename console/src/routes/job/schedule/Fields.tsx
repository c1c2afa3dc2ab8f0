/** When a job fires, while it is typed: in words of both languages, the field at fault, what the clock does to it, and the next instants. */
import { useQuery } from '@tanstack/react-query';
import { useId, useRef, useState } from 'react';
import type { Schemas } from '../../../api/client';
import { schedulePreview, type Settings } from '../../../api/queries';
import { usePrefs } from '../../../look/prefs';
import { Button } from '../../../parts/Button';
import { Glyph } from '../../../parts/Glyph';
import { Panel } from '../../../parts/Panel';
import { Segmented } from '../../../parts/Segmented';
import { useSettled } from '../../../parts/settled';
import { ErrorBox } from '../../../parts/States';
import { Instant, Until } from '../../../parts/Times';
import { useSay } from '../../../words/say';
import { withValue } from '../edit/edit';
import { SCHEDULE } from '../edit/fields';
import { faultOf, SettingField } from '../edit/Form';
import e from '../edit/Edit.module.css';
import { cells, cut, spoken, type Way, WAYS, wayOf, withWay } from './schedule';
import s from './Schedule.module.css';

const POLICIES = SCHEDULE.filter((spec) => spec.key.startsWith('misfire'));

const ZONE = 'timeZone';

interface Props {
  settings: Settings;
  onChange: (settings: Settings) => void;
  faults: readonly Schemas['Detail'][];
  isFixed?: boolean;
}

/** What the server says of the schedule that is typed. */
export function usePreview(settings: Settings) {
  const zone = typeof settings[ZONE] === 'string' ? settings[ZONE] : '';
  const asked = useSettled(spoken(wayOf(settings)) ?? '');
  const found = useQuery({ ...schedulePreview(asked, useSettled(zone)), enabled: asked !== '', placeholderData: (before) => before });
  const valid = useRef<Schemas['SchedulePreview']>(undefined);
  if (found.data?.problems.length === 0) valid.current = found.data;
  return { asked, found, last: valid.current, zone };
}

export function ScheduleFields({ settings, onChange, faults, isFixed = false }: Props) {
  const say = useSay();
  const id = useId();
  const said = wayOf(settings);
  const { text } = said;
  const [picked, setPicked] = useState(said.way);
  // While nothing is typed, the way is what was picked.
  const way = text !== '' || said.way === 'hand' ? said.way : picked;
  const { asked, found } = usePreview(settings);
  // Unix cron is none to the reader of the other kind, which says what it is to a Unix.
  const isUnix = way === 'unixCron' && found.data?.asUnix != null;
  const problems = asked && !isUnix ? (found.data?.problems ?? []) : [];
  const [problem] = problems;
  const unix = problem && way === 'cron' ? found.data?.asUnix : undefined;
  const misfire = settings['misfire'];
  const zone = typeof settings[ZONE] === 'string' ? settings[ZONE] : '';
  const pick = (next: Way) => {
    setPicked(next);
    onChange(withWay(settings, next, ''));
  };
  const [before, wrong, behind] = cut(text, way === 'cron' ? problem : undefined);
  return (
    <Panel title={say('schedule.when')}>
      <fieldset className={s.fields} disabled={isFixed}>
        <Segmented
          label={say('schedule.way')}
          value={way}
          isDisabled={isFixed}
          of={WAYS.map((one) => ({ id: one, text: say(`schedule.${one}`) }))}
          onChange={pick}
        />
        {way !== 'hand' && (
          <div className={e.field}>
            <label htmlFor={id}>{say(`schedule.${way}Label`)}</label>
            <input
              id={id}
              className="mono"
              value={text}
              spellCheck={false}
              autoComplete="off"
              aria-invalid={problem !== undefined}
              aria-describedby={`${id}-said`}
              onChange={(event) => onChange(withWay(settings, way, event.target.value))}
            />
            {way === 'cron' && text.trim() !== '' && (
              <div className={s.cells} aria-hidden="true">
                {cells(text, problems).map((cell) => (
                  <span key={cell.field} data-bad={cell.isBad || undefined}>
                    <b>{cell.text}</b>
                    <small>{say(`field.${cell.field}`)}</small>
                  </span>
                ))}
              </div>
            )}
          </div>
        )}
        <div id={`${id}-said`} className={s.said} role="status">
          {way === 'hand' ? (
            <p>{say('schedule.handSay')}</p>
          ) : problem ? (
            <>
              {wrong && (
                <p className="mono">
                  {before}
                  <mark>{wrong}</mark>
                  {behind}
                </p>
              )}
              <p className={s.bad}>
                <Glyph sign={{ shape: 's-bad', tone: 'fail', word: 'status.degraded' }} />
                <span lang="en">{problem.message}</span>
              </p>
              {unix && (
                <p>
                  {say('schedule.asUnix')} <Both of={unix} />{' '}
                  <Button small onPress={() => onChange(withWay(settings, 'unixCron', text.trim()))}>
                    {say('schedule.readAsUnix')}
                  </Button>
                </p>
              )}
            </>
          ) : (
            asked && <Both of={isUnix ? found.data?.asUnix : found.data?.sentence} />
          )}
          {found.isError && <ErrorBox error={found.error} onRetry={() => void found.refetch()} />}
        </div>
        <div className={e.field}>
          <label htmlFor={`${id}-zone`}>
            {say('setting.timeZone')} <code>{ZONE}</code>
          </label>
          <input
            id={`${id}-zone`}
            value={zone}
            list={`${id}-zones`}
            placeholder={say('schedule.zoneOfMachine')}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => onChange(withValue(settings, ZONE, event.target.value || undefined))}
          />
          <datalist id={`${id}-zones`}>
            {Intl.supportedValuesOf('timeZone').map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </div>
        {POLICIES.filter((spec) => spec.key === 'misfire' || misfire === 'fire_all').map((spec) => (
          <SettingField key={spec.key} spec={spec} settings={settings} onChange={onChange} fault={faultOf(spec.key, faults)} isFixed={isFixed} />
        ))}
        <p className="mid">{say(`misfire.${misfire === 'fire_all' ? 'all' : misfire === 'skip' || misfire === false || misfire === 'false' ? 'skip' : 'once'}`)}</p>
      </fieldset>
    </Panel>
  );
}

/** A schedule in words of both languages: the reader's first. */
function Both({ of }: { of: Schemas['Sentence'] | null | undefined }) {
  const { language } = usePrefs();
  if (!of) return null;
  const other = language === 'en' ? 'zh' : 'en';
  return (
    <>
      <b>{of[language]}</b> <span lang={other}>{of[other]}</span>
    </>
  );
}

/** What comes of the schedule that is typed: its next instants, and what the clock does to it. What is typed now may be wrong: then the last that was right, greyed. */
export function Coming({ settings }: { settings: Settings }) {
  const say = useSay();
  const { language } = usePrefs();
  const { asked, found, last, zone } = usePreview(settings);
  if (!asked || !last || wayOf(settings).way === 'unixCron') return null;
  const isStale = (found.data?.problems.length ?? 0) > 0;
  return (
    <>
      {last.clockChanges.length > 0 && (
        <Panel title={say('schedule.clock')}>
          <ul className={s.changes}>
            {last.clockChanges.map((change) => (
              <li key={change.at} data-hits={change.affected > 0 || undefined}>
                <span>
                  <Instant at={change.at} zone={zone || undefined} /> <span className="dim">{`${change.before} → ${change.after}`}</span>
                </span>
                <span>{change.sentence[language]}</span>
              </li>
            ))}
          </ul>
        </Panel>
      )}
      <Panel title={say('schedule.next')} side={isStale && say('schedule.stale')}>
        <ol className={s.next} data-stale={isStale || undefined}>
          {last.fires.map((at) => (
            <li key={at}>
              <Instant at={at} zone={zone || undefined} seconds />
              <span className="dim">
                <Until at={at} zone={zone || undefined} />
              </span>
            </li>
          ))}
          {last.fires.length === 0 && <li>{say('job.neverFires')}</li>}
        </ol>
        {last.lastFireAt && (
          <p className={s.foot}>
            {say('schedule.last')} <Instant at={last.lastFireAt} zone={zone || undefined} />
          </p>
        )}
      </Panel>
    </>
  );
}

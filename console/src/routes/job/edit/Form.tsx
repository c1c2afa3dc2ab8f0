/** The settings of a job as fields, by what they are about. What is not at its default is marked; what the server finds wrong stands at its field. */
import { useId } from 'react';
import type { Schemas } from '../../../api/client';
import { Panel } from '../../../parts/Panel';
import { shown } from '../../../words/format';
import { useSay } from '../../../words/say';
import { keyOf } from '../../../act/Effects';
import type { Settings } from '../../../api/queries';
import { valueOf, withValue } from './edit';
import s from './Edit.module.css';
import { type Group, GROUPS, isCode, read, type Spec } from './fields';
import { Pairs } from './Pairs';

interface Props {
  settings: Settings;
  onChange: (settings: Settings) => void;
  faults: readonly Schemas['Detail'][];
  /** They may say what the job runs. */
  mayCode: boolean;
  groups?: readonly Group[];
}

export const ALL = Object.keys(GROUPS) as Group[];

export function SettingsForm({ settings, onChange, faults, mayCode, groups = ALL }: Props) {
  const say = useSay();
  return groups.map((group) => (
    <Panel key={group} title={say(`group.${group}`)}>
      <div className={s.fields}>
        {GROUPS[group].map((spec) => (
          <SettingField
            key={spec.key}
            spec={spec}
            settings={settings}
            onChange={onChange}
            fault={faultOf(spec.key, faults)}
            isFixed={isCode(spec.key) && !mayCode}
          />
        ))}
      </div>
    </Panel>
  ));
}

/** What is wrong with a setting, or with something in it. */
export function faultOf(key: string, faults: readonly Schemas['Detail'][]): string | undefined {
  const own = faults.filter((fault) => keyOf(fault.pointer) === key || keyOf(fault.pointer).startsWith(`${key}.`));
  return own.length ? own.map((fault) => fault.message).join(' ') : undefined;
}

interface FieldProps {
  spec: Spec;
  settings: Settings;
  onChange: (settings: Settings) => void;
  fault: string | undefined;
  isFixed?: boolean;
}

export function SettingField({ spec, settings, onChange, fault, isFixed = false }: FieldProps) {
  const say = useSay();
  const id = useId();
  const value = valueOf(settings, spec.key);
  const isSet = value !== undefined && value !== null;
  const text = isSet ? shown(value) : '';
  const set = (next: string) => onChange(withValue(settings, spec.key, read(spec, next)));
  const common = { id, disabled: isFixed, 'aria-invalid': fault !== undefined, 'aria-describedby': `${id}-about` };
  const choices = [...new Set([...(spec.choices ?? []), ...(isSet && !spec.choices?.includes(text) ? [text] : [])])];
  return (
    <div className={s.field} data-set={isSet || undefined} data-setting={spec.key}>
      <label htmlFor={id}>
        {say(`setting.${spec.key as 'timeout'}`)} <code>{spec.key}</code>
        {isSet && <span className="sr">{say('setting.isSet')}</span>}
      </label>
      {spec.kind === 'pairs' ? (
        <Pairs id={id} value={value} isFixed={isFixed} onChange={(pairs) => onChange(withValue(settings, spec.key, pairs))} />
      ) : spec.kind === 'switch' || spec.kind === 'choice' ? (
        <select {...common} value={text} onChange={(event) => set(event.target.value)}>
          <option value="">{spec.default ? say('setting.defaultIs', { value: spec.default }) : say('setting.none')}</option>
          {(spec.kind === 'switch' ? ['true', 'false'] : choices).map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : (
        <input {...common} value={text} placeholder={spec.default} inputMode={spec.kind === 'number' ? 'numeric' : undefined} onChange={(event) => set(event.target.value)} autoComplete="off" spellCheck={false} />
      )}
      <p id={`${id}-about`} className={fault ? s.fault : s.hint}>
        {fault ? <span lang="en">{fault}</span> : isFixed ? say('setting.codeFixed') : ''}
      </p>
    </div>
  );
}

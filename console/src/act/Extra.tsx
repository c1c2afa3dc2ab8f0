/** What some acts ask besides a reason. */
import { Check } from '../parts/Check';
import { Field } from '../parts/Field';
import { useSay } from '../words/say';
import type { ActName, Wish } from './acts';
import s from './Sheet.module.css';

const MINUTE = 60_000;

/** What is offered when the sheet opens. */
export function usual(act: ActName): Partial<Wish> {
  if (act === 'drain') return { timeout: 10 * MINUTE };
  if (act === 'itemResume') return { from: 'now' };
  if (act === 'remove') return { mode: 'stop' };
  return {};
}

/** Whether all that it asks was said. */
export function isComplete(act: ActName, { timeout }: Partial<Wish>): boolean {
  return act !== 'drain' || (timeout !== undefined && timeout > 0);
}

interface Props {
  act: ActName;
  /** Files define the job. */
  byFiles: boolean;
  value: Partial<Wish>;
  onChange: (value: Partial<Wish>) => void;
}

export function Extra({ act, byFiles, value, onChange }: Props) {
  const say = useSay();
  if (act === 'drain') {
    const minutes = value.timeout === undefined ? '' : String(value.timeout / MINUTE);
    return (
      <Field
        label={say('act.drain.wait')}
        hint={say('act.drain.waitHint')}
        type="number"
        inputMode="numeric"
        value={minutes}
        fault={isComplete(act, value) ? undefined : say('act.drain.waitFault')}
        onChange={(text) => onChange(Number(text) > 0 ? { ...value, timeout: Number(text) * MINUTE } : { ...value, timeout: 0 })}
      />
    );
  }
  if (act === 'itemResume') {
    return <Choice legend={say('act.from')} name="from" value={value.from ?? 'now'} of={['now', 'last']} say={(word) => say(`act.from.${word}`)} onPick={(from) => onChange({ ...value, from })} />;
  }
  if (act === 'remove') {
    return (
      <>
        <Choice legend={say('act.mode')} name="mode" value={value.mode ?? 'stop'} of={['stop', 'drain', 'kill']} say={(word) => say(`act.mode.${word}`)} onPick={(mode) => onChange({ ...value, mode })} />
        {byFiles && (
          <Check label={say('act.takeOver')} isOn={value.takeOver ?? false} onChange={(takeOver) => onChange({ ...value, takeOver })} />
        )}
      </>
    );
  }
  return null;
}

interface ChoiceProps<T extends string> {
  legend: string;
  name: string;
  value: string;
  of: readonly T[];
  say: (word: T) => string;
  onPick: (word: T) => void;
}

function Choice<T extends string>({ legend, name, value, of, say, onPick }: ChoiceProps<T>) {
  return (
    <fieldset className={s.choice}>
      <legend>{legend}</legend>
      {of.map((word) => (
        <label key={word}>
          <input type="radio" name={name} checked={value === word} onChange={() => onPick(word)} />
          {say(word)}
        </label>
      ))}
    </fieldset>
  );
}

import { useQuery } from '@tanstack/react-query';
import { projects } from '../../api/queries';
import { useSay } from '../../words/say';
import s from './Alerts.module.css';

interface Props {
  value: string | undefined;
  onChange: (project: string | undefined) => void;
  /** Which are offered, and what none means; all are, and all of them, unless told. */
  among?: readonly string[];
  withoutAll?: boolean;
}

/** Chooses a project, or all. */
export function ProjectPick({ value, onChange, among, withoutAll = false }: Props) {
  const say = useSay();
  const all = useQuery(projects).data ?? [];
  const names = among ?? all.map(({ name }) => name);
  return (
    <select className={s.select} value={value ?? ''} aria-label={say('fleet.project')} onChange={(event) => onChange(event.target.value || undefined)}>
      {!withoutAll && <option value="">{say('switcher.all')}</option>}
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

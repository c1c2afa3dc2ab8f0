import { useQuery } from '@tanstack/react-query';
import { type Definition, nextFires } from '../../api/queries';
import { shown } from '../../words/format';

/** A setting of a job as text, if it has it; those at their defaults are left out. */
export function settingOf(job: Definition, key: string): string | undefined {
  const value = job.settings[key];
  return value === undefined || value === null ? undefined : shown(value);
}

/** Settings as lines: of a group, each of its own. */
export function lines(settings: Readonly<Record<string, unknown>>, before = ''): [string, string][] {
  return Object.entries(settings).flatMap(([key, value]): [string, string][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? lines(value as Record<string, unknown>, `${before}${key}.`)
      : [[before + key, shown(value)]],
  );
}

/** How many instants are shown. */
const NEXT = 5;

/** When a job fires next, from its schedule. */
export function useNext(job: Definition | undefined) {
  const cron = job && settingOf(job, 'cron');
  const zone = (job && settingOf(job, 'timeZone')) ?? '';
  return useQuery({ ...nextFires(cron ?? '', zone, NEXT), enabled: Boolean(cron) });
}

/** A schedule as it is typed: in which way, with which fields, and what of it is wrong where. Pure. */
import type { Schemas } from '../../../api/client';
import type { Settings } from '../../../api/queries';
import { withValue } from '../edit/edit';

/** The ways to say when; a job has one of them. */
export const WAYS = ['cron', 'unixCron', 'every', 'once', 'hand'] as const;
export type Way = (typeof WAYS)[number];

/** The keys of a jobs file that say when. */
const KEYS = ['cron', 'unixCron', 'every', 'once'] as const;

/** In which way a job says when it fires, and what it says. */
export function wayOf(settings: Settings): { way: Way; text: string } {
  for (const key of KEYS) {
    const value = settings[key];
    if (typeof value !== 'string') continue;
    if (key === 'cron' && value === '') return { way: 'hand', text: '' };
    return { way: key, text: value };
  }
  return { way: 'cron', text: '' };
}

/** The settings with another schedule. */
export function withWay(settings: Settings, way: Way, text: string): Settings {
  const without = KEYS.reduce((kept, key) => withValue(kept, key, undefined), settings);
  // An empty cron is by hand; nothing typed yet is no schedule at all.
  return way === 'hand' ? withValue(without, 'cron', '') : withValue(without, way, text || undefined);
}

/** The schedule as the server reads it; nothing where there is nothing to fire. */
export function spoken({ way, text }: { way: Way; text: string }): string | undefined {
  if (way === 'hand' || text.trim() === '') return undefined;
  return way === 'every' || way === 'once' ? `@${way} ${text.trim()}` : text;
}

export const FIELDS = ['second', 'minute', 'hour', 'dayOfMonth', 'month', 'dayOfWeek', 'year'] as const;
export type FieldName = (typeof FIELDS)[number];

export interface Cell {
  field: FieldName;
  text: string;
  from: number;
  to: number;
  isBad: boolean;
}

/** The fields of a cron, each where it stands; what is wrong is marked at the field in which it is. */
export function cells(text: string, problems: readonly Schemas['ScheduleProblem'][]): Cell[] {
  return [...text.matchAll(/\S+/g)].slice(0, FIELDS.length).map((match, index): Cell => {
    const [from, to] = [match.index, match.index + match[0].length];
    const isBad = problems.some((problem) => {
      if (problem.from == null) return words(FIELDS[index] ?? '') === problem.field;
      return problem.from < to && (problem.to ?? problem.from + 1) > from;
    });
    return { field: FIELDS[index] ?? 'year', text: match[0], from, to, isBad };
  });
}

/** A field's name in the server's words: `dayOfWeek` is `day of week`. */
const words = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** The text with what is wrong cut out of it: before, it, behind. */
export function cut(text: string, problem: Schemas['ScheduleProblem'] | undefined): [string, string, string] {
  // The server counts characters, and so does this: one beyond the first plane is one.
  const letters = Array.from(text);
  if (problem?.from == null) return [text, '', ''];
  const to = Math.max(problem.to ?? problem.from + 1, problem.from + 1);
  return [letters.slice(0, problem.from).join(''), letters.slice(problem.from, to).join(''), letters.slice(to).join('')];
}

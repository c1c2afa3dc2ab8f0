/**
 * A job that somebody is changing: what it was when they began, and what it is to be. Pure.
 *
 * Only what was changed is sent, so what somebody else changes meanwhile stays; and when both changed something, nothing that was typed is lost: it is put
 * upon what the other one saved.
 */
import type { Settings } from '../../../api/queries';

export interface Edit {
  /** The version that is changed. */
  version: number;
  base: Content;
  mine: Content;
}

/** What of a job can be edited. */
export interface Content {
  settings: Settings;
  owner: string;
  tags: string;
}

const isGroup = (value: unknown): value is Settings => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value of a key; `retry.maxAttempts` is in a group. */
export function valueOf(settings: Settings, key: string): unknown {
  const at = key.indexOf('.');
  if (at < 0) return settings[key];
  const group = settings[key.slice(0, at)];
  return isGroup(group) ? group[key.slice(at + 1)] : undefined;
}

/** The settings with another value; without one, the key goes back to its default. */
export function withValue(settings: Settings, key: string, value: unknown): Settings {
  const at = key.indexOf('.');
  if (at >= 0) {
    const outer = key.slice(0, at);
    const group = settings[outer];
    const inner = withValue(isGroup(group) ? group : {}, key.slice(at + 1), value);
    return withValue(settings, outer, Object.keys(inner).length ? inner : undefined);
  }
  const rest = Object.entries(settings).filter(([name]) => name !== key);
  return Object.fromEntries(value === undefined ? rest : [...rest, [key, value]]);
}

/** Whether two values are the same, whatever the order of their keys. */
export function same(one: unknown, other: unknown): boolean {
  if (!isGroup(one) || !isGroup(other)) return JSON.stringify(one) === JSON.stringify(other);
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => same(one[name], other[name]));
}

/** What makes the one the other (RFC 7396): a key that is `null` goes, groups are merged. */
export function patch(from: Settings, to: Settings): Settings {
  const out: Settings = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [before, after] = [from[key], to[key]];
    if (same(before, after)) continue;
    if (after === undefined) out[key] = null;
    else out[key] = isGroup(before) && isGroup(after) ? patch(before, after) : after;
  }
  return out;
}

/** Settings with a patch on them. */
export function patched(settings: Settings, change: Settings): Settings {
  const stays = Object.entries(settings).filter(([key]) => !(key in change));
  const comes = Object.entries(change).flatMap(([key, value]): [string, unknown][] => {
    const before = settings[key];
    if (value === null) return [];
    return [[key, isGroup(value) ? patched(isGroup(before) ? before : {}, value) : value]];
  });
  return Object.fromEntries([...stays, ...comes]);
}

/** Whether something was changed. */
export function isChanged({ base, mine }: Edit): boolean {
  return !same(base, mine);
}

/** A key that both changed, to different values. */
export interface Clash {
  key: string;
  base: unknown;
  theirs: unknown;
  mine: unknown;
}

/** Puts what was changed upon what somebody else saved meanwhile. Where both changed the same, what was typed here stands, and is named. */
export function rebase({ base, mine }: Edit, theirs: Content, version: number): { edit: Edit; clashes: Clash[] } {
  const settings = patched(theirs.settings, patch(base.settings, mine.settings));
  const pick = (key: 'owner' | 'tags') => (mine[key] === base[key] ? theirs[key] : mine[key]);
  const edit = { version, base: theirs, mine: { settings, owner: pick('owner'), tags: pick('tags') } };
  const keys = [...new Set([...lines(base.settings), ...lines(theirs.settings), ...lines(mine.settings)])];
  const clashes = keys.flatMap((key): Clash[] => {
    const [old, their, my] = [base, theirs, mine].map((content) => valueOf(content.settings, key));
    const isClash = !same(old, their) && !same(old, my) && !same(their, my);
    return isClash ? [{ key, base: old, theirs: their, mine: my }] : [];
  });
  return { edit, clashes };
}

/** The keys that settings name, those of a group each with its name. */
function lines(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([key, value]) => (isGroup(value) ? Object.keys(value).map((inner) => `${key}.${inner}`) : [key]));
}

/** Tags as they are typed: words with spaces or commas between. */
export function words(text: string): string[] {
  return [...new Set(text.split(/[\s,，、]+/).filter(Boolean))];
}

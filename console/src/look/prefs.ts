/**
 * How somebody wants to see the console: kept in this browser, read before the first paint by `boot.ts`, and the same in all its tabs.
 */
import { useSyncExternalStore } from 'react';

export type Language = 'en' | 'zh';
export type Theme = 'light' | 'dark' | 'system';
/** `mine` is the browser's zone, `job` each job's own; else an IANA name. */
export type ZoneChoice = 'mine' | 'job' | (string & {});

export interface Prefs {
  theme: Theme;
  language: Language;
  zone: ZoneChoice;
  /** The side bar shows icons alone. */
  narrow: boolean;
  /** Single letters are commands. */
  letters: boolean;
}

const KEY = 'clockwright.look';
const listeners = new Set<() => void>();

/** What is kept, as far as it makes sense. */
export function read(text: string | null, wished: { language: string }): Prefs {
  const language: Language = wished.language.startsWith('zh') ? 'zh' : 'en';
  const usual: Prefs = { theme: 'system', language, zone: 'mine', narrow: false, letters: true };
  let kept: Partial<Record<keyof Prefs, unknown>> = {};
  try {
    const json: unknown = JSON.parse(text ?? '{}');
    if (typeof json === 'object' && json !== null) kept = json;
  } catch {
    return usual;
  }
  const one = <T extends string>(value: unknown, of: readonly T[], otherwise: T) =>
    of.find((known) => known === value) ?? otherwise;
  return {
    theme: one(kept.theme, ['light', 'dark', 'system'], usual.theme),
    language: one(kept.language, ['en', 'zh'], usual.language),
    zone: typeof kept.zone === 'string' && isZone(kept.zone) ? kept.zone : usual.zone,
    narrow: kept.narrow === true,
    letters: kept.letters !== false,
  };
}

function isZone(zone: string): boolean {
  if (zone === 'mine' || zone === 'job') return true;
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}

let now: Prefs | undefined;

export function prefs(): Prefs {
  now ??= read(stored(), { language: navigator.language });
  return now;
}

/** Changes some of it, at once and everywhere. */
export function choose(change: Partial<Prefs>): void {
  now = { ...prefs(), ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(now));
  } catch {
    // A browser that keeps nothing: until the page is left.
  }
  tell();
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function tell(): void {
  const { theme, language } = prefs();
  const root = document.documentElement;
  const dark = theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.dataset['theme'] = dark ? 'dark' : 'light';
  root.lang = language;
  for (const listener of listeners) listener();
}

/** Follows other tabs and the system. Called once. */
export function followPrefs(): void {
  addEventListener('storage', (event) => {
    if (event.key !== KEY) return;
    now = undefined;
    tell();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tell);
}

/** Calls when something of it changed. */
export function onPrefs(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePrefs(): Prefs {
  return useSyncExternalStore(onPrefs, prefs, prefs);
}

/** The zone in which times are shown, of a job whose own zone this is. */
export function zoneOf(choice: ZoneChoice, own?: string): string {
  if (choice === 'job' && own) return own;
  if (choice === 'mine' || choice === 'job') return Intl.DateTimeFormat().resolvedOptions().timeZone;
  return choice;
}

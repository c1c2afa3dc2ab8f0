/**
 * What the console says: `say('jobs.title')` in the reader's language. Catalogues are typed: an id that is missing in either does not compile.
 */
import { I18n } from '@lingui/core';
import { compileMessage } from '@lingui/message-utils/compileMessage';
import { Fragment, type ReactNode, useCallback, useSyncExternalStore } from 'react';
import { type Language, onPrefs, prefs } from '../look/prefs';
import type { MessageId, Messages } from './ids';

export type Values = Record<string, string | number>;
export type Say = (id: MessageId, values?: Values) => string;

const catalogues = new Map<Language, I18n>();
const listeners = new Set<() => void>();

/** Reads the catalogue of a language, if it is not there. */
export async function load(language: Language): Promise<void> {
  if (catalogues.has(language)) return;
  const messages: Messages = language === 'zh' ? (await import('./zh')).zh : (await import('./en')).en;
  catalogues.set(language, catalogue(language, messages));
  for (const listener of listeners) listener();
}

/** A catalogue that can speak. */
export function catalogue(language: Language, messages: Messages): I18n {
  const spoken = new I18n({ locale: language, messages: { [language]: messages } });
  spoken.setMessagesCompiler(compileMessage);
  return spoken;
}

/** The language in which something can be said now: the chosen one, once its catalogue is there. */
function ready(): Language {
  const { language } = prefs();
  return catalogues.has(language) ? language : (catalogues.keys().next().value ?? language);
}

/** Says something outside of a component. */
export function sayNow(id: MessageId, values?: Values): string {
  return catalogues.get(ready())?._(id, values) ?? id;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  const stop = onPrefs(listener);
  return () => {
    listeners.delete(listener);
    stop();
  };
}

/** Says something in a component, which is drawn anew when the language changes. */
export function useSay(): Say {
  const language = useSyncExternalStore(subscribe, ready, ready);
  return useCallback((id, values) => catalogues.get(language)?._(id, values) ?? id, [language]);
}

/** Stands for a part of a sentence that is more than text, while the sentence is made. */
const MARK = '\uE000';

/** A sentence with parts that are more than text: `<Say id="jobs.by" who={<b>…</b>} />`. */
export function Say({ id, values, parts }: { id: MessageId; values?: Values; parts: Record<string, ReactNode> }) {
  const say = useSay();
  const names = Object.keys(parts);
  const marks = Object.fromEntries(names.map((name, index) => [name, `${MARK}${index}${MARK}`]));
  return say(id, { ...values, ...marks })
    .split(MARK)
    .map((piece, index) => <Fragment key={index}>{index % 2 ? parts[names[Number(piece)] ?? ''] : piece}</Fragment>);
}

/**
 * A reason in the reader's language: its code's sentence with its parameters, or the text that came with it where the code is not known here, as of a
 * newer server or of a Java instance.
 */
import type { Language } from '../look/prefs';
import { REASONS } from '../made/reasons';

export function reason(
  code: string | null | undefined,
  params: Readonly<Record<string, unknown>> | null | undefined,
  text: string | undefined,
  language: Language,
): string {
  const sentences = code ? REASONS[code] : undefined;
  if (!sentences) return text ?? '';
  const value = (name: string) => {
    const given = params?.[name];
    return typeof given === 'string' || typeof given === 'number' ? String(given) : '';
  };
  const sentence = sentences[language === 'zh' ? 1 : 0];
  // Without what it tells of, the text that came with it tells more.
  if (text && names(sentence.replace(/\[[^\]]*\]/g, '')).some((name) => !value(name))) return text;
  return fill(sentence, value);
}

/** The parameters that a sentence names. */
const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');

/** Puts parameters into a sentence; a part in brackets whose parameters are all empty is left out. */
function fill(sentence: string, value: (name: string) => string): string {
  const chosen = sentence.replace(/\[([^\]]*)\]/g, (_, part: string) => (names(part).some((name) => value(name)) ? part : ''));
  return chosen.replace(/\{(\w+)\}/g, (_, name: string) => value(name));
}

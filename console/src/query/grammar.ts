/**
 * The words of a search, as the server reads them (`decide/query/parse.rs`, where the grammar stands): for colour and for what is offered while somebody
 * types. What is found is the server's to say. One file of searches tests both readers, and the qualifiers are the server's own.
 */
import { QUALIFIERS as ROWS } from '../made/qualifiers';

/** What is looked for. */
export type Of = 'jobs' | 'runs';

/** A qualifier: its name, those that it has besides, what it is about, and what it takes: a kind of value, or one of some words. */
export interface Row {
  name: string;
  also: readonly string[];
  what: string;
  takes: 'letters' | 'name' | 'number' | 'time' | 'usual' | readonly string[];
  of: readonly Of[];
}

/** What a search may be narrowed by. */
export const qualifiers = (of: Of): readonly Row[] => ROWS.filter((row) => row.of.includes(of));

type Op = '<=' | '>=' | '<' | '>' | '=';

/** A value, as it is written in the file of searches. */
export type Value =
  | { is: string }
  | { begins: string }
  | { amount: [Op, number] }
  | { between: [number, number] }
  | { usual: [Op, 'p50' | 'p95'] };

export interface Place {
  start: number;
  end: number;
}

export type FaultKind = 'unknownQualifier' | 'ofOthers' | 'nothingBehind' | 'missingValue' | 'notOneOf' | 'notANumber' | 'notATime' | 'openQuote';

/** What is wrong with a word, where, and which qualifier it is about. */
export interface Fault {
  kind: FaultKind;
  at: Place;
  row?: Row;
}

/** One word of a search. */
export interface Word {
  /** As it was typed. */
  raw: string;
  /** Where it stands, in characters. */
  at: Place;
  not: boolean;
  /** What it narrows; nothing where it is a text, or where no qualifier is so called. */
  row: Row | undefined;
  /** What stands behind the qualifier, or all of it, without quotes. */
  value: string;
  values: Value[];
  fault: Fault | undefined;
}

interface Letter {
  letter: string;
  quoted: boolean;
  at: number;
}

/** The words of a text, with what is wrong with each. */
export function parse(text: string, of: Of = 'jobs'): Word[] {
  // Code points: the server counts those too.
  const characters = Array.from(text);
  return split(characters).map((word) => ({ ...term(word, of), raw: characters.slice(word.at.start, word.at.end).join(''), at: word.at }));
}

/** A search with one word more, or without it when it is there. */
export function toggled(text: string, word: string): string {
  const words = parse(text).map(({ raw }) => raw);
  const rest = words.filter((one) => one.toLowerCase() !== word.toLowerCase());
  return (rest.length === words.length ? [...words, word] : rest).join(' ');
}

/** A search with this value of a qualifier, and no other of it. */
export function narrowed(text: string, qualifier: string, value: string | undefined, of: Of = 'jobs'): string {
  const rest = parse(text, of).filter((word) => word.row?.name !== qualifier || word.not);
  return [...(value === undefined ? [] : [`${qualifier}:${quoted(value)}`]), ...rest.map(({ raw }) => raw)].join(' ');
}

/** The value of a qualifier, if the search has one. */
export function valueOf(text: string, qualifier: string, of: Of = 'jobs'): string | undefined {
  return parse(text, of).find((word) => word.row?.name === qualifier && !word.not)?.value;
}

const quoted = (value: string) => (/[\s,*]/.test(value) ? `"${value}"` : value);

interface Split {
  at: Place;
  letters: Letter[];
  /** Where a quote began that is never closed. */
  open: number | undefined;
}

function split(characters: string[]): Split[] {
  const words: Split[] = [];
  let word: Split | undefined;
  let quote: number | undefined;
  characters.forEach((letter, at) => {
    if (/\s/.test(letter) && quote === undefined) {
      word = undefined;
      return;
    }
    if (!word) words.push((word = { at: { start: at, end: at }, letters: [], open: undefined }));
    word.at.end = at + 1;
    if (letter === '"') quote = quote === undefined ? at : undefined;
    else word.letters.push({ letter, quoted: quote !== undefined, at });
    word.open = quote;
  });
  // Two quotes with nothing between them are no word.
  return words.filter(({ letters, open }) => letters.length > 0 || open !== undefined);
}

const textOf = (letters: Letter[]) => letters.map(({ letter }) => letter).join('');
const isSign = (letter: Letter | undefined, sign: string) => letter !== undefined && letter.letter === sign && !letter.quoted;
const isOfName = ({ letter, quoted }: Letter) => !quoted && /\p{Alphabetic}/u.test(letter) && !/\p{Uppercase}/u.test(letter);

type Term = Pick<Word, 'not' | 'row' | 'value' | 'values' | 'fault'>;

function term({ at, letters: all, open }: Split, of: Of): Term {
  const not = all.length > 1 && isSign(all[0], '-');
  const letters = not ? all.slice(1) : all;
  const text: Term = { not, row: undefined, value: textOf(letters), values: [{ is: textOf(letters).toLowerCase() }], fault: undefined };
  const wrong = (term: Term, fault: Fault): Term => ({ ...term, values: [], fault });
  if (open !== undefined) return wrong(text, { kind: 'openQuote', at: { start: open, end: at.end } });
  const colon = letters.findIndex((letter) => isSign(letter, ':'));
  const name = letters.slice(0, Math.max(colon, 0));
  const first = name[0];
  if (!first || !name.every(isOfName)) return text;
  const row = named(textOf(name), of);
  const place = { start: first.at, end: first.at + name.length };
  if (!row) return wrong(text, { kind: 'unknownQualifier', at: place });
  if (!row.of.includes(of)) return wrong(text, { kind: 'ofOthers', at: place, row });
  const rest = letters.slice(colon + 1);
  const narrows = { ...text, row, value: textOf(rest) };
  if (rest.length === 0) return wrong(narrows, { kind: 'nothingBehind', at, row });
  const values: Value[] = [];
  for (const letters of listed(rest)) {
    const [from, to] = [letters[0], letters[letters.length - 1]];
    if (!from || !to) return wrong(narrows, { kind: 'missingValue', at, row });
    const read = value(row, letters);
    if (!read) return wrong(narrows, { kind: unfit(row), at: { start: from.at, end: to.at + 1 }, row });
    values.push(read);
  }
  return { ...narrows, values };
}

/** The qualifier of this name; where there are two, the one that is of use. */
function named(name: string, of: Of): Row | undefined {
  const all = ROWS.filter((row) => row.name === name || row.also.includes(name));
  return all.find((row) => row.of.includes(of)) ?? all[0];
}

/** What stands between commas. */
function listed(letters: Letter[]): Letter[][] {
  const lists: Letter[][] = [[]];
  for (const letter of letters) {
    if (isSign(letter, ',')) lists.push([]);
    else lists[lists.length - 1]?.push(letter);
  }
  return lists;
}

function unfit({ takes }: Row): FaultKind {
  if (typeof takes !== 'string') return 'notOneOf';
  return takes === 'number' ? 'notANumber' : 'notATime';
}

/** A value of a qualifier, if it can be one. */
function value({ takes }: Row, letters: Letter[]): Value | undefined {
  const text = textOf(letters).toLowerCase();
  const plain = letters.every(({ quoted }) => !quoted);
  if (typeof takes !== 'string') return takes.includes(text) ? { is: text } : undefined;
  if (takes === 'letters') return { is: text };
  if (takes === 'name') return plain && text.endsWith('*') ? { begins: text.slice(0, -1) } : { is: text };
  if (!plain) return undefined;
  if (takes === 'time') return amount(text, time);
  if (takes === 'usual') return usual(text) ?? amount(text, time);
  const exact = number(text);
  return amount(text, number) ?? (exact === undefined ? undefined : { amount: ['=', exact] });
}

const OPS = ['<=', '>=', '<', '>'] as const;

function compared(text: string): [Op, string] | undefined {
  const op = OPS.find((op) => text.startsWith(op));
  return op && [op, text.slice(op.length)];
}

function amount(text: string, read: (text: string) => number | undefined): Value | undefined {
  const bound = compared(text);
  if (bound) {
    const found = read(bound[1]);
    return found === undefined ? undefined : { amount: [bound[0], found] };
  }
  const between = text.indexOf('..');
  if (between < 0) return undefined;
  const [from, to] = [read(text.slice(0, between)), read(text.slice(between + 2))];
  return from !== undefined && to !== undefined && from <= to ? { between: [from, to] } : undefined;
}

function usual(text: string): Value | undefined {
  const [op, rest] = compared(text) ?? [];
  return op && (rest === 'p50' || rest === 'p95') ? { usual: [op, rest] } : undefined;
}

function number(text: string): number | undefined {
  return /^\d+$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : undefined;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A length of time, milliseconds: a number and its unit. */
function time(text: string): number | undefined {
  const unit = text.search(/[a-z]/i);
  const length = UNITS[unit < 0 ? '' : text.slice(unit)];
  const count = number(unit < 0 ? '' : text.slice(0, unit));
  return length === undefined || count === undefined ? undefined : count * length;
}

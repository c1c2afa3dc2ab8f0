/**
 * The words of a search, as the server reads them (`decide/query.rs`): for colour and for what is offered while somebody types. What is found is the
 * server's to say. One file of examples tests both readers.
 */

/** What a search of jobs may be narrowed by. */
export const QUALIFIERS = [
  'project', 'status', 'state', 'kind', 'tag', 'owner', 'managed', 'cron', 'zone', 'host', 'server', 'outcome', 'sync', 'next',
] as const;

export type Qualifier = (typeof QUALIFIERS)[number];

/** The values that a qualifier can have, where they are few. */
export const VALUES: Partial<Record<Qualifier, readonly string[]>> = {
  status: ['ok', 'paused', 'disabled', 'crashed', 'sharding_flag', 'degraded'],
  state: ['online', 'offline', 'removing'],
  kind: ['simple', 'dataflow', 'script', 'http'],
  managed: ['console', 'files'],
  outcome: ['succeeded', 'failed', 'skipped', 'coalesced', 'missed', 'cancelled'],
  sync: ['written', 'pending', 'held', 'conflict', 'reported', 'denied', 'contended'],
  next: ['<10m', '<1h', '<1d'],
};

export type Fault = 'unknownQualifier' | 'nothingBehind' | 'notATime' | 'openQuote';

/** One word of a search. */
export interface Word {
  /** As it stands there, without quotes. */
  raw: string;
  not: boolean;
  qualifier: Qualifier | undefined;
  value: string;
  fault: Fault | undefined;
}

/** The words of a text, with what is wrong with each. */
export function parse(text: string): Word[] {
  return split(text).map(({ raw, open }) => {
    const word = read(raw);
    return open ? { ...word, fault: 'openQuote' as const } : word;
  });
}

/** A search with one word more, or without it when it is there. */
export function toggled(text: string, word: string): string {
  const words = parse(text).map(written);
  const rest = words.filter((one) => one.toLowerCase() !== word.toLowerCase());
  return (rest.length === words.length ? [...words, word] : rest).join(' ');
}

/** A search with this value of a qualifier, and no other of it. */
export function narrowed(text: string, qualifier: Qualifier, value: string | undefined): string {
  const rest = parse(text).filter((word) => word.qualifier !== qualifier || word.not);
  return [...(value === undefined ? [] : [`${qualifier}:${quoted(value)}`]), ...rest.map(written)].join(' ');
}

/** The value of a qualifier, if the search has one. */
export function valueOf(text: string, qualifier: Qualifier): string | undefined {
  return parse(text).find((word) => word.qualifier === qualifier && !word.not)?.value;
}

/** A word as one would type it. */
export function written(word: Word): string {
  const name = word.qualifier ? `${word.qualifier}:` : '';
  return `${word.not ? '-' : ''}${name}${quoted(word.value)}`;
}

const quoted = (value: string) => (/\s/.test(value) ? `"${value}"` : value);

function read(raw: string): Word {
  const not = raw.startsWith('-') && raw.length > 1;
  const rest = not ? raw.slice(1) : raw;
  const colon = rest.indexOf(':');
  const name = colon > 0 ? rest.slice(0, colon) : '';
  // A cron, a time or an address has colons too: only a word that could be a qualifier is taken for one.
  if (!/^[a-z]+$/.test(name)) return { raw, not, qualifier: undefined, value: rest, fault: rest ? undefined : 'nothingBehind' };
  const qualifier = QUALIFIERS.find((known) => known === name);
  const value = rest.slice(colon + 1);
  const fault = !qualifier
    ? 'unknownQualifier'
    : !value
      ? 'nothingBehind'
      : qualifier === 'next' && !/^[<>]\d{1,9}[smhd]$/i.test(value)
        ? 'notATime'
        : undefined;
  return { raw, not, qualifier, value: qualifier ? value : rest, fault };
}

function split(text: string): { raw: string; open: boolean }[] {
  const words: { raw: string; open: boolean }[] = [];
  let raw = '';
  let quote = false;
  for (const letter of `${text}\u0000`) {
    if (letter === '"') quote = !quote;
    else if (letter === '\u0000' || (!quote && /\s/.test(letter))) {
      if (raw || quote) words.push({ raw, open: quote });
      raw = '';
    } else raw += letter;
  }
  return words;
}

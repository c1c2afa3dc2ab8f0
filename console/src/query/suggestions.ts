import { type Of, qualifiers, type Row } from './grammar';

/** Times that are offered; what else there is can be typed. */
const TIMES = ['<10m', '<1h', '<1d'];

/** What may follow what is typed: values of a qualifier, or qualifiers. */
export function suggestions(typed: string, of: Of): string[] {
  const bare = typed.replace(/^-/, '').toLowerCase();
  if (!bare) return [];
  const rows = qualifiers(of);
  const colon = bare.indexOf(':');
  if (colon < 0) return rows.flatMap(names).filter((name) => name.startsWith(bare)).map((name) => `${name}:`);
  const name = bare.slice(0, colon);
  const begun = bare.slice(colon + 1);
  const row = rows.find((row) => names(row).includes(name));
  return values(row).filter((value) => value.startsWith(begun) && value !== begun).map((value) => `${name}:${value}`);
}

const names = (row: Row) => [row.name, ...row.also];

function values(row: Row | undefined): readonly string[] {
  if (!row) return [];
  if (typeof row.takes !== 'string') return row.takes;
  return row.takes === 'time' || row.takes === 'usual' ? TIMES : [];
}

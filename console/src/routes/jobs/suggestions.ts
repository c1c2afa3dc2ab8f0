import { QUALIFIERS, VALUES } from '../../query/grammar';

/** What may follow what is typed: values of a qualifier, or qualifiers. */
export function suggestions(typed: string): string[] {
  const bare = typed.replace(/^-/, '').toLowerCase();
  if (!bare) return [];
  const colon = bare.indexOf(':');
  if (colon < 0) return QUALIFIERS.filter((name) => name.startsWith(bare)).map((name) => `${name}:`);
  const name = QUALIFIERS.find((known) => known === bare.slice(0, colon));
  const begun = bare.slice(colon + 1);
  const values = (name && VALUES[name]) ?? [];
  return values.filter((value) => value.startsWith(begun) && value !== begun).map((value) => `${name ?? ''}:${value}`);
}

// Writes src/made: what the console takes from the server's own pages, which are the types of the interface, its problem codes, its reasons and the
// qualifiers of a search.
// It is made anew before each check and build and is not in the repository, so it cannot differ from those pages.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import openapi, { astToString } from 'openapi-typescript';

const docs = new URL('../../docs/reference/', import.meta.url);
const corpus = new URL('../../crates/server/src/decide/query/corpus.json', import.meta.url);
const to = new URL('../src/made/', import.meta.url);
const made = '// Made by `npm run api` from docs/reference.\n';

/** The rows of the first table of a page that begin with a code. */
function rows(page) {
  const lines = readFileSync(new URL(page, docs), 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('| `')).map((line) => line.slice(2, -2).split(' | '));
}

const quoted = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const plain = (cell) => cell.trim().replaceAll('\\|', '|');

/** The document without what every operation may answer as well: a problem. */
function answersOnly(document) {
  for (const path of Object.values(document.paths)) {
    for (const operation of Object.values(path)) {
      for (const status of Object.keys(operation.responses ?? {})) if (status >= '400') delete operation.responses[status];
    }
  }
  return document;
}

const document = answersOnly(JSON.parse(readFileSync(new URL('openapi.json', docs), 'utf8')));
const codes = rows('problems.md').map(([code]) => `  ${quoted(code.replaceAll('`', ''))},\n`);
const reasons = rows('reasons.md').map(([code, , , en, zh]) => {
  return `  ${code.replaceAll('`', '')}: [${quoted(plain(en))}, ${quoted(plain(zh))}],\n`;
});

mkdirSync(to, { recursive: true });
writeFileSync(new URL('types.d.ts', to), made + astToString(await openapi(document, { emptyObjectsUnknown: true, defaultNonNullable: false })));
writeFileSync(
  new URL('codes.ts', to),
  `${made}/** The codes of all problems. */
export const CODES = [\n${codes.join('')}] as const;

/** The code of a problem. */
export type Code = (typeof CODES)[number];
`,
);
writeFileSync(
  new URL('reasons.ts', to),
  `${made}/** Of each reason's code the English and the Chinese sentence; what stands in brackets is left out where its parameter is empty. */
export const REASONS: Readonly<Record<string, readonly [string, string]>> = {\n${reasons.join('')}};
`,
);
const { qualifiers } = JSON.parse(readFileSync(corpus, 'utf8'));
writeFileSync(
  new URL('qualifiers.ts', to),
  `// Made by \`npm run api\` from the corpus of searches.
import type { Row } from '../query/grammar';

/** What searches may be narrowed by. */
export const QUALIFIERS: readonly Row[] = [\n${qualifiers.map((row) => `  ${JSON.stringify(row)},\n`).join('')}];
`,
);

import { compileMessage } from '@lingui/message-utils/compileMessage';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CODES } from '../made/codes';
import { en } from './en';
import type { MessageId } from './ids';
import { catalogue } from './say';
import { zh } from './zh';

const ids = Object.keys(en) as MessageId[];

/** What a message takes, and the branches that it has for it. */
function shape(message: string): string[] {
  const found: string[] = [];
  // A message is text, or a list of texts and of `[name, form, branches]`.
  const walk = (parts: unknown): void => {
    if (!Array.isArray(parts)) return;
    for (const part of parts as unknown[]) {
      if (!Array.isArray(part)) continue;
      const [name, form, branches] = part as [string, string?, object?];
      // A branch `one` is English alone; `=0` and the like are the same everywhere.
      const told = Object.keys(branches ?? {}).filter((branch) => branch !== 'one' && branch !== 'offset');
      found.push([name, form, ...told].join(' '));
      for (const branch of Object.values(branches ?? {})) walk(branch);
    }
  };
  walk(compileMessage(message));
  return [...new Set(found)].sort();
}

it.each(ids)('%s takes the same in both languages', (id) => {
  expect(shape(zh[id])).toEqual(shape(en[id]));
});

/** What stays as it is in Chinese: names, keys, what stands in an address or a file. */
const LATIN = [
  'Clockwright', 'API', 'JSON', 'YAML', 'Ctrl K', 'English', 'cron', 'tag:nightly', 'status:crashed', 'next:<1h', '<1h', '>30m', 'next', 'Java',
  'outcome:failed', 'took:>p95', 'late:>5s', 'p95', 'Slack', 'Quartz', 'Unix', 'Elastic-Job', 'ElasticJob',
];

it.each(ids)('%s says nothing in the other language', (id) => {
  if (id === 'language.both') return;
  let chinese = zh[id].replace(/\{(\w+)(, plural,)?/g, '').replace(/\b(one|other|=\d+)\s*\{/g, '');
  for (const word of LATIN) chinese = chinese.replaceAll(word, '');
  expect(chinese).not.toMatch(/[A-Za-z]{2}/);
  if (!id.startsWith('language.')) expect(en[id]).not.toMatch(/\p{Script=Han}/u);
});

/** Words that another product uses for what has a word here. */
const SYNONYMS = ['任务', '执行器', '分片序号', '调度器', '您', '请', '成功地', '！', '节点'];

it.each(ids)('%s uses the words of the glossary', (id) => {
  const allowed = zh[id].replaceAll('主节点', '').replaceAll('请求', '').replace('主机', '');
  for (const word of SYNONYMS) expect(allowed).not.toContain(word);
  for (const word of ['please', 'oops', 'successfully', '!']) expect(en[id].toLowerCase()).not.toContain(word);
});

it('there is a sentence for every problem that the server has', () => {
  const own = ['request', 'retry', 'retryIn', 'unreachable', 'defect'];
  const told = ids.filter((id) => id.startsWith('problem.')).map((id) => id.slice('problem.'.length));
  expect(told.filter((code) => !own.includes(code)).sort()).toEqual([...CODES].sort());
});

it('everything that can be said is said somewhere', () => {
  const src = new URL('../', import.meta.url);
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !/(\.test\.tsx?|words\/(en|zh)(\.\w+)?\.ts)$/.test(file))
    .map((file) => readFileSync(new URL(file, src), 'utf8'))
    .join('\n');
  const families = [...files.matchAll(/`([a-zA-Z.]+\.)\$\{/g)].map((match) => match[1] ?? '');
  const unused = ids.filter(
    (id) => !files.includes(`'${id}'`) && !files.includes(`"${id}"`) && !families.some((family) => id.startsWith(family)),
  );
  expect(unused).toEqual([]);
});

it('counts are said in the plural of their language', () => {
  const english = catalogue('en', en);
  expect(english._('me.projects', { count: 1 })).toBe('1 project');
  expect(english._('me.projects', { count: 4 })).toBe('4 projects');
  expect(catalogue('zh', zh)._('me.projects', { count: 4 })).toBe('4 个项目');
});

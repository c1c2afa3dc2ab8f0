import { expect, it } from 'vitest';
import { lines } from './settings';

it('settings are lines, those of a group each with the name of the group', () => {
  expect(lines({ cron: '0 0 2 * * ?', shardingTotalCount: 3, props: { 'script.command.line': 'echo <b>' }, list: [1, 2] })).toEqual([
    ['cron', '0 0 2 * * ?'],
    ['shardingTotalCount', '3'],
    ['props.script.command.line', 'echo <b>'],
    ['list', '[1,2]'],
  ]);
});

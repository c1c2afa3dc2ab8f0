import { expect, it } from 'vitest';
import { read, zoneOf } from './prefs';

const english = { language: 'en-GB' };

it('is as the browser wishes until somebody chooses', () => {
  expect(read(null, english)).toEqual({ theme: 'system', language: 'en', zone: 'mine', narrow: false, letters: true });
  expect(read(null, { language: 'zh-TW' }).language).toBe('zh');
});

it('keeps what was chosen, as far as it makes sense', () => {
  const kept = JSON.stringify({ theme: 'dark', language: 'zh', zone: 'Asia/Shanghai', narrow: true, letters: false });
  expect(read(kept, english)).toEqual({ theme: 'dark', language: 'zh', zone: 'Asia/Shanghai', narrow: true, letters: false });
  for (const rubbish of ['{', '3', 'null', '[]', '{"theme":"pink","zone":"Mars/Olympus","language":7,"narrow":"x"}']) {
    expect(read(rubbish, english), rubbish).toEqual(read(null, english));
  }
});

it('shows a time in the zone that was chosen, or in the job’s own', () => {
  expect(zoneOf('UTC', 'Asia/Shanghai')).toBe('UTC');
  expect(zoneOf('job', 'Asia/Shanghai')).toBe('Asia/Shanghai');
  expect(zoneOf('job')).toBe(zoneOf('mine'));
});

import { describe, expect, it } from 'vitest';
import { bytes, clock, count, duration, instant, iso, numbers, relative, share, span } from './format';

const at = (text: string) => Date.parse(text);
const shown = (language: 'en' | 'zh', zone: string, now: string) => ({ language, zone, now: at(now) });

describe('an instant', () => {
  it.each([
    ['en', 'Europe/Berlin', '2026-11-20T02:12:40Z', '2026-11-20T09:00:00Z', '03:12'],
    ['zh', 'Europe/Berlin', '2026-11-20T02:12:40Z', '2026-11-20T09:00:00Z', '03:12'],
    ['en', 'Europe/Berlin', '2026-11-20T01:00:00Z', '2026-11-22T09:00:00Z', 'Fri 20 Nov 02:00'],
    ['zh', 'Europe/Berlin', '2026-11-20T01:00:00Z', '2026-11-22T09:00:00Z', '11月20日 周五 02:00'],
    ['en', 'UTC', '2026-12-31T23:59:00Z', '2027-01-01T00:00:00Z', '31 Dec 2026 23:59'],
    ['en', 'Asia/Shanghai', '2026-12-31T16:30:00Z', '2026-12-31T17:00:00Z', '00:30'],
    ['zh', 'Asia/Shanghai', '2027-03-27T18:30:00Z', '2026-11-20T00:00:00Z', '2027年3月28日 02:30'],
    ['en', 'America/New_York', '2026-09-01T04:00:00Z', '2026-11-20T00:00:00Z', 'Tue 1 Sep 00:00'],
    ['en', 'Asia/Kathmandu', '2026-11-20T00:00:00Z', '2026-11-20T01:00:00Z', '05:45'],
    ['en', 'Australia/Lord_Howe', '2026-07-01T00:00:00Z', '2026-07-01T01:00:00Z', '10:30'],
  ] as const)('%s, %s: %s', (language, zone, ms, now, text) => {
    expect(instant(at(ms), shown(language, zone, now))).toBe(text);
  });

  it('names the abbreviation on both sides of a clock change, and its second time', () => {
    const now = '2026-10-25T12:00:00Z';
    const berlin = (ms: string, language: 'en' | 'zh' = 'en') => instant(at(ms), shown(language, 'Europe/Berlin', now));
    expect(berlin('2026-10-25T00:30:00Z')).toBe('02:30 CEST');
    expect(berlin('2026-10-25T01:30:00Z')).toBe('02:30 CET (2nd)');
    expect(berlin('2026-10-25T01:30:00Z', 'zh')).toBe('02:30 CET（第二次）');
    expect(berlin('2026-10-25T02:00:00Z')).toBe('03:00 CET');
    expect(berlin('2026-10-25T09:00:00Z')).toBe('10:00');
    const spring = (ms: string) => instant(at(ms), shown('en', 'Europe/Berlin', '2026-03-29T12:00:00Z'));
    expect(spring('2026-03-29T00:59:00Z')).toBe('01:59 CET');
    expect(spring('2026-03-29T01:00:00Z')).toBe('03:00 CEST');
    const howe = (ms: string) => instant(at(ms), shown('en', 'Australia/Lord_Howe', '2026-04-05T00:00:00Z'));
    expect(howe('2026-04-04T15:10:00Z')).toContain('(2nd)');
  });

  it('is copied with the offset of its zone', () => {
    expect(iso(at('2026-11-20T02:00:00.250Z'), 'Asia/Kathmandu')).toBe('2026-11-20T07:45:00.250+05:45');
    expect(iso(at('2026-07-01T02:00:00Z'), 'America/New_York')).toBe('2026-06-30T22:00:00.000-04:00');
    expect(iso(at('2026-07-01T02:00:00Z'), 'UTC')).toBe('2026-07-01T02:00:00.000Z');
    expect(clock(at('2026-07-01T02:03:04Z'), 'Asia/Shanghai')).toBe('10:03:04');
  });
});

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

it.each([
  [20 * S, '20 s', '20 秒'],
  [2 * M + 59 * S, '2 min', '2 分钟'],
  [22 * H + 47 * M, '22 h 47 min', '22 小时 47 分'],
  [5 * H, '5 h', '5 小时'],
  [28 * H, '1 d 4 h', '1 天 4 小时'],
  [17 * D + H, '17 d', '17 天'],
])('a span of %d ms is %s', (ms, en, zh) => {
  expect(span(ms, 'en')).toBe(en);
  expect(span(ms, 'zh')).toBe(zh);
  expect(relative(ms, 0, 'en')).toBe(`in ${en}`);
  expect(relative(ms, 0, 'zh')).toBe(`${zh}后`);
  expect(relative(0, ms, 'en')).toBe(`${en} ago`);
  expect(relative(0, ms, 'zh')).toBe(`${zh}前`);
});

it.each([
  [0, '0 ms', '0 毫秒'],
  [412, '412 ms', '412 毫秒'],
  [999.6, '1.0 s', '1.0 秒'],
  [3000, '3.0 s', '3.0 秒'],
  [9960, '10 s', '10 秒'],
  [12_300, '12 s', '12 秒'],
  [59_600, '1.0 min', '1.0 分钟'],
  [2.6 * M, '2.6 min', '2.6 分钟'],
  [58 * M, '58 min', '58 分钟'],
  [59.6 * M, '1 h', '1 小时'],
  [72 * M, '1 h 12 min', '1 小时 12 分'],
  [17 * D, '17 d', '17 天'],
])('%d ms took %s', (ms, en, zh) => {
  expect(duration(ms, 'en')).toBe(en);
  expect(duration(ms, 'zh')).toBe(zh);
});

it('counts are exact unless they are estimated', () => {
  expect(count(48_213, 'zh')).toBe('48,213');
  expect(count(1_200_000, 'en', true)).toBe('~1.2 M');
  expect(count(1_200_000, 'zh', true)).toBe('约 120 万');
  expect(count(230_000_000, 'zh', true)).toBe('约 2.3 亿');
});

it('a share is never told as nothing or all when it is neither', () => {
  expect(share(9984, 10_000, 'en')).toBe('99.84 %');
  expect(share(9984, 10_000, 'zh')).toBe('99.84%');
  expect(share(999_999, 1_000_000, 'en')).toBe('> 99.99 %');
  expect(share(1, 1_000_000, 'en')).toBe('< 0.01 %');
  expect(share(5, 5, 'en')).toBe('100 %');
  expect(share(0, 0, 'en')).toBe('—');
});

it('sizes are decimal on disk and binary in memory', () => {
  expect(bytes(18_400_000)).toBe('18.4 MB');
  expect(bytes(402 * 1024 * 1024, 'memory')).toBe('402 MiB');
  expect(bytes(999)).toBe('999 B');
  expect(bytes(999_999)).toBe('1.0 MB');
});

it('numbers in a row are told as a range', () => {
  expect(numbers([7, 3, 9, 10, 11, 12], 'en')).toBe('3, 7, 9–12');
  expect(numbers([0, 1], 'en')).toBe('0, 1');
  expect(numbers([2, 2, 4], 'zh')).toBe('2、4');
  expect(numbers([], 'en')).toBe('');
});

import { expect, it } from 'vitest';
import { begin, spanFor, SPANS, spanOf } from './spans';

const at = (text: string) => Date.parse(text);
const begun = (span: Parameters<typeof begin>[0], now: string, zone: string) => new Date(begin(span, at(now), zone)).toISOString();

it('a span ends now and is as long as it says', () => {
  expect(begun('24h', '2026-11-20T02:12:40Z', 'UTC')).toBe('2026-11-19T02:12:40.000Z');
  expect(begun('1h', '2026-11-20T02:12:40Z', 'UTC')).toBe('2026-11-20T01:12:40.000Z');
});

it('a night begins at eight in the evening of the reader’s zone, also when clocks changed meanwhile', () => {
  expect(begun('night', '2026-11-20T02:12:40.500Z', 'Europe/Berlin')).toBe('2026-11-19T19:00:00.000Z');
  expect(begun('night', '2026-11-19T19:00:00Z', 'Europe/Berlin')).toBe('2026-11-19T19:00:00.000Z');
  expect(begun('night', '2026-11-20T14:00:00Z', 'Asia/Kolkata')).toBe('2026-11-19T14:30:00.000Z');
  expect(begun('night', '2026-10-25T06:00:00Z', 'Europe/Berlin')).toBe('2026-10-24T18:00:00.000Z');
  expect(begun('night', '2026-03-29T06:00:00Z', 'Europe/Berlin')).toBe('2026-03-28T19:00:00.000Z');
});

it('what an address says otherwise is the usual', () => {
  expect(spanOf('7d', SPANS, '24h')).toBe('7d');
  expect(spanOf('8d', SPANS, '24h')).toBe('24h');
  expect(spanOf(undefined, SPANS, '1h')).toBe('1h');
});

it('a ledger begins with as much as somebody reads', () => {
  const fires = (seconds: number) => [0, 1, 2].map((index) => new Date(index * seconds * 1_000).toISOString());
  const among = ['10m', '1h', '24h', '7d', '30d'] as const;
  expect(spanFor(fires(2), 300, among, '24h')).toBe('10m');
  expect(spanFor(fires(60), 300, among, '24h')).toBe('1h');
  expect(spanFor(fires(900), 300, among, '24h')).toBe('24h');
  expect(spanFor(fires(86_400), 300, among, '24h')).toBe('30d');
  expect(spanFor(fires(0.01), 300, among, '24h')).toBe('10m');
  expect(spanFor([], 300, among, '24h')).toBe('30d');
});

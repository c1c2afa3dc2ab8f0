/**
 * Times, numbers and sizes as people read them, in both languages. All of it is pure: language, zone and the present are arguments.
 *
 * Zone arithmetic (day borders, next instants) is the server's; here an instant is only shown.
 */
import type { Language } from '../look/prefs';

const cached = new Map<string, Intl.DateTimeFormat>();

function formatter(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${JSON.stringify(options)}`;
  let found = cached.get(key);
  if (!found) cached.set(key, (found = new Intl.DateTimeFormat(locale, options)));
  return found;
}

interface Wall {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

/** What a clock on the wall of a zone shows. */
export function wall(ms: number, zone: string): Wall {
  const parts = formatter('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(ms);
  const of = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  return { year: of('year'), month: of('month'), day: of('day'), hour: of('hour'), minute: of('minute'), second: of('second') };
}

/** How far a zone is ahead of UTC at an instant, milliseconds. */
export function offset(ms: number, zone: string): number {
  const at = wall(ms, zone);
  const whole = Math.floor(ms / 1000) * 1000;
  return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second) - whole;
}

const HOUR = 3_600_000;
/** How near a clock change the zone's abbreviation is said. */
const NEAR = 3 * HOUR;

/** The abbreviation of a zone, `CET`. */
export function abbreviation(ms: number, zone: string): string {
  const parts = formatter('en-GB', { timeZone: zone, timeZoneName: 'short' }).formatToParts(ms);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? zone;
}

/** What tells an instant near a clock change from its twin: `CET (2nd)`; empty elsewhere. */
function changeMark(ms: number, zone: string, language: Language): string {
  const here = offset(ms, zone);
  const before = offset(ms - NEAR, zone);
  if (here === before && here === offset(ms + NEAR, zone)) return '';
  const twice = before > here && offset(ms - (before - here), zone) === before;
  const second = !twice ? '' : language === 'zh' ? '（第二次）' : ' (2nd)';
  return ` ${abbreviation(ms, zone)}${second}`;
}

export interface Shown {
  language: Language;
  zone: string;
  now: number;
}

const two = (value: number) => String(value).padStart(2, '0');

/** An instant, as long as it needs to be: the time alone for today, the weekday within this year, else the year. */
export function instant(ms: number, { language, zone, now }: Shown, seconds = false): string {
  const at = wall(ms, zone);
  const today = wall(now, zone);
  const time = `${two(at.hour)}:${two(at.minute)}${seconds ? `:${two(at.second)}` : ''}${changeMark(ms, zone, language)}`;
  if (at.year === today.year && at.month === today.month && at.day === today.day) return time;
  if (language === 'zh') {
    const date = `${at.month}月${at.day}日`;
    if (at.year !== today.year) return `${at.year}年${date} ${time}`;
    return `${date} ${formatter('zh-CN', { timeZone: zone, weekday: 'short' }).format(ms)} ${time}`;
  }
  const month = formatter('en-US', { timeZone: zone, month: 'short' }).format(ms);
  if (at.year !== today.year) return `${at.day} ${month} ${at.year} ${time}`;
  return `${formatter('en-US', { timeZone: zone, weekday: 'short' }).format(ms)} ${at.day} ${month} ${time}`;
}

/** A clock: hours, minutes, seconds. */
export function clock(ms: number, zone: string): string {
  const at = wall(ms, zone);
  return `${two(at.hour)}:${two(at.minute)}:${two(at.second)}`;
}

/** ISO 8601 with the zone's offset, for titles and copies. */
export function iso(ms: number, zone: string): string {
  const ahead = offset(ms, zone);
  const local = new Date(ms + ahead).toISOString().slice(0, -1);
  if (ahead === 0) return `${local}Z`;
  const minutes = Math.abs(ahead) / 60_000;
  return `${local}${ahead < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** The last word of a zone's name, as people say it: `Berlin`. */
export function zoneName(zone: string): string {
  return (zone.split('/').pop() ?? zone).replaceAll('_', ' ');
}

type Unit = 'd' | 'h' | 'min' | 's' | 'ms';
const UNITS: Record<Language, Record<Unit, string>> = {
  en: { d: ' d', h: ' h', min: ' min', s: ' s', ms: ' ms' },
  zh: { d: ' 天', h: ' 小时', min: ' 分钟', s: ' 秒', ms: ' 毫秒' },
};
/** Minutes after hours are shorter in Chinese. */
const MINUTES_AFTER: Record<Language, string> = { en: ' min', zh: ' 分' };

/** Time between two instants in whole units: one below an hour, two above. */
export function span(ms: number, language: Language): string {
  const units = UNITS[language];
  const seconds = Math.floor(Math.abs(ms) / 1000);
  if (seconds < 60) return `${seconds}${units.s}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}${units.min}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    const rest = minutes % 60;
    return `${hours}${units.h}${rest ? ` ${rest}${MINUTES_AFTER[language]}` : ''}`;
  }
  const days = Math.floor(hours / 24);
  const rest = hours % 24;
  return days < 2 && rest ? `${days}${units.d} ${rest}${units.h}` : `${days}${units.d}`;
}

/** How far away an instant is: `in 2 min`, `12 min ago`. */
export function relative(ms: number, now: number, language: Language): string {
  const text = span(ms - now, language);
  if (language === 'zh') return ms > now ? `${text}后` : `${text}前`;
  return ms > now ? `in ${text}` : `${text} ago`;
}

/** How long something took: two significant parts, and one decimal below ten. */
export function duration(ms: number, language: Language): string {
  const units = UNITS[language];
  if (ms < 999.5) return `${Math.round(ms)}${units.ms}`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}${units.s}`;
  if (seconds < 59.5) return `${Math.round(seconds)}${units.s}`;
  const minutes = seconds / 60;
  if (minutes < 9.95) return `${minutes.toFixed(1)}${units.min}`;
  if (minutes < 59.5) return `${Math.round(minutes)}${units.min}`;
  return span(Math.round(minutes) * 60_000, language);
}

/** A count: exact below a million, else as told. */
export function count(value: number, language: Language, estimated = false): string {
  if (!estimated || value < 10_000) return value.toLocaleString('en-US');
  if (language === 'zh') {
    const [divisor, unit] = value >= 100_000_000 ? [100_000_000, '亿'] : [10_000, '万'];
    return `约 ${short(value / divisor)} ${unit}`;
  }
  const [divisor, unit] = value >= 1e9 ? [1e9, 'G'] : value >= 1e6 ? [1e6, 'M'] : [1e3, 'k'];
  return `~${short(value / divisor)} ${unit}`;
}

const short = (value: number) => (value < 9.95 ? String(Math.round(value * 10) / 10) : String(Math.round(value)));

/** Numbers as people write them, those in a row as a range: `3, 7, 9–12`. */
export function numbers(values: readonly number[], language: Language): string {
  const rows: [number, number][] = [];
  for (const value of [...values].sort((one, other) => one - other)) {
    const last = rows[rows.length - 1];
    if (last && value <= last[1] + 1) last[1] = value;
    else rows.push([value, value]);
  }
  const text = (from: number, to: number) => (from === to ? String(from) : to === from + 1 ? `${from}, ${to}` : `${from}–${to}`);
  const all = rows.map(([from, to]) => text(from, to)).join(', ');
  return language === 'zh' ? all.replaceAll(', ', '、') : all;
}

/** A part of a whole, which is never told as nothing or all when it is neither. */
export function share(part: number, whole: number, language: Language): string {
  const sign = language === 'zh' ? '%' : ' %';
  if (whole === 0) return '—';
  const percent = (part / whole) * 100;
  if (part > 0 && percent < 0.01) return `< 0.01${sign}`;
  if (part < whole && percent > 99.99) return `> 99.99${sign}`;
  return `${Number(percent.toFixed(2))}${sign}`;
}

/** Bytes: decimal for disk and wire, binary for memory. */
export function bytes(value: number, kind: 'wire' | 'memory' = 'wire'): string {
  const [step, units] = kind === 'wire' ? [1000, ['B', 'kB', 'MB', 'GB', 'TB']] : [1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']];
  let rest = value;
  let unit = 0;
  while (rest >= step - 0.5 && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  const text = unit === 0 || rest >= 99.95 ? String(Math.round(rest)) : rest.toFixed(1);
  return `${text} ${units[unit] ?? 'B'}`;
}

/** A setting's value as people read it. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

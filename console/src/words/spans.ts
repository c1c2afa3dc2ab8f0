/** Spans of time up to now, as an address names them. Pure. */
import { offset, wall } from './format';

export const SPANS = ['10m', '1h', 'night', '24h', '7d', '30d'] as const;
export type Span = (typeof SPANS)[number];

const HOUR = 3_600_000;
const HOURS: Readonly<Record<Exclude<Span, 'night'>, number>> = { '10m': 1 / 6, '1h': 1, '24h': 24, '7d': 168, '30d': 720 };
/** When a night begins. */
const EVENING = 20;

export const spanOf = <T extends string>(text: string | undefined, among: readonly T[], otherwise: T): T =>
  among.find((span) => span === text) ?? otherwise;

/** When a span begins that ends now. */
export function begin(span: Span, now: number, zone: string): number {
  if (span !== 'night') return now - HOURS[span] * HOUR;
  const { hour, minute, second } = wall(now, zone);
  const passed = ((hour - EVENING + 24) % 24) * HOUR + minute * 60_000 + second * 1_000 + (now % 1_000);
  const evening = now - passed;
  // Clocks that changed since then showed another hour at that instant.
  return evening + offset(now, zone) - offset(evening, zone);
}

/** The longest of some spans in which a schedule fires no more often than that; the shortest where it fires more. */
export function spanFor<T extends Exclude<Span, 'night'>>(fires: readonly string[], most: number, among: readonly T[], otherwise: T): T {
  const [first, ...rest] = fires.map((at) => Date.parse(at));
  const last = rest[rest.length - 1];
  if (first === undefined || last === undefined) return among[among.length - 1] ?? otherwise;
  const every = (last - first) / rest.length;
  return among.findLast((span) => HOURS[span] * HOUR <= every * most) ?? among[0] ?? otherwise;
}

import type { FireItem } from '../../api/history';
import { OUTCOMES, RUNNING, type Sign, WORST_FIRST } from '../../parts/Glyph';
import { GAPS } from './gaps';

/** The sign of a fire: it runs while one of its items does; else what is worst, where nothing at all accounts for one the worst. */
export function worst(items: readonly FireItem[]): Sign | undefined {
  const gaps = items.flatMap(({ gap }) => (gap ? [gap] : []));
  if (gaps.includes('open')) return GAPS['open'];
  if (gaps.includes('running')) return RUNNING;
  const outcome = WORST_FIRST.find((outcome) => items.some((item) => item.outcome?.outcome === outcome));
  return outcome ? OUTCOMES[outcome] : GAPS[gaps[0] ?? ''];
}

import { useSay } from '../words/say';
import { OUTCOMES } from './Glyph';

/** How many outcomes a strip has room for. */
export const LONGEST = 20;

/** Outcomes in a row, the newest on the right. `outcomes` is as the server tells them: the newest first. */
export function Strip({ outcomes, most = LONGEST }: { outcomes: readonly string[]; most?: number }) {
  const say = useSay();
  const shown = outcomes.slice(0, most).toReversed();
  const counts = new Map<string, number>();
  for (const outcome of shown) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const parts = [...counts].map(([outcome, count]) => {
    const sign = OUTCOMES[outcome];
    return `${count} ${sign ? say(sign.word) : outcome}`;
  });
  const label = shown.length ? parts.join(say('list.comma')) : say('strip.none');
  const width = most * 10 - 2;
  return (
    <svg className="sq" viewBox={`0 0 ${width} 8`} width={width} height="8" role="img" aria-label={label}>
      {shown.map((outcome, index) => {
        const sign = OUTCOMES[outcome];
        const x = (most - shown.length + index) * 10;
        return sign && <use key={index} className={sign.tone} href={`#${sign.shape}`} x={x} width="8" height="8" />;
      })}
    </svg>
  );
}

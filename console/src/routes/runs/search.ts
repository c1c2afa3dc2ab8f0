/** What the address of a list of runs says. */
import * as v from 'valibot';
import type { Span } from '../../words/spans';

export const runsSearch = v.looseObject({
  q: v.optional(v.string()),
  span: v.optional(v.string()),
  attempts: v.optional(v.string()),
});

/** The spans that are offered; `all` is no span at all. */
export const CHOICES = ['1h', 'night', '24h', '7d', '30d'] as const satisfies readonly Span[];

/** The states of one firing among those of its task id, which all firings of an item by one instance share. Pure. */
import type { Schemas } from '../../api/client';

type State = Schemas['RunState'];

/** What a firing begins with. */
const BEGINS = 'TASK_STAGING';

/** From the beginning that came last before the run did, to the next one; all where it is not known when it ran. */
export function statesOf(all: readonly State[], startedAt: string | null | undefined): readonly State[] {
  if (!startedAt) return all;
  const started = Date.parse(startedAt);
  const begins = all.flatMap(({ state }, index) => (state === BEGINS ? [index] : []));
  const own = begins.findLast((index) => Date.parse(all[index]?.at ?? '') <= started);
  if (own === undefined) return all;
  return all.slice(own, begins.find((index) => index > own));
}

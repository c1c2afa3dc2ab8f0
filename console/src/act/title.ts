import { useSay, type Say } from '../words/say';
import type { Subject } from './acts';
import type { Asked } from './desk';

/** What an act is done with, in words: a job, an item of it, one of its hosts. */
export function nameOf({ project, job, host, instance, item }: Subject, say: Say): string {
  const name = `${project}/${job}`;
  if (item !== undefined) return say('act.ofItem', { item, name });
  const place = instance ?? host;
  return place ? say('act.ofPlace', { place, name }) : name;
}

/** The act in words: the verb, and with what. */
export function useTitle({ act, subject }: Asked): string {
  const say = useSay();
  return say('act.title', { verb: say(`act.${act}`), what: nameOf(subject, say) });
}

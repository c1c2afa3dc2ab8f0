import { useSay } from '../../words/say';

/** What a process is of. */
export function Kind({ of }: { of: string }) {
  const say = useSay();
  if (of === 'clockwright') return say('product');
  return of === 'java' ? say('fleet.javaInstance') : of;
}

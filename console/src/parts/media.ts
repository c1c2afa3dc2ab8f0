import { useSyncExternalStore } from 'react';

const SMALL = '(max-width: 760px)';

/** True on a screen as small as a telephone's. */
export function useSmall(): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(SMALL);
      media.addEventListener('change', listener);
      return () => media.removeEventListener('change', listener);
    },
    () => matchMedia(SMALL).matches,
  );
}

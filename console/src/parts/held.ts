/** Lists that grow at their top do not move what somebody reads: while the page is scrolled, or more than one page of a list is there, what is newer waits. */
import { type InfiniteData, notifyManager, type QueryKey, useQueryClient } from '@tanstack/react-query';
import { useCallback, useSyncExternalStore } from 'react';

const main = () => document.getElementById('main');

/** Whether the page is scrolled away from its top. */
function useScrolled(): boolean {
  const subscribe = useCallback((listener: () => void) => {
    const on = main();
    on?.addEventListener('scroll', listener, { passive: true });
    return () => on?.removeEventListener('scroll', listener);
  }, []);
  return useSyncExternalStore(subscribe, () => (main()?.scrollTop ?? 0) > 0);
}

interface Held {
  held: boolean;
  /** What is there is not the newest any more. */
  waits: boolean;
  /** Lets the list go: from its top, with what is newer. */
  renew: () => void;
}

/** Whether a list is held as it is. */
export function useHeld(queryKey: QueryKey): Held {
  const client = useQueryClient();
  const subscribe = useCallback((listener: () => void) => client.getQueryCache().subscribe(notifyManager.batchCalls(listener)), [client]);
  const isInvalid = useSyncExternalStore(subscribe, () => client.getQueryState(queryKey)?.isInvalidated ?? false);
  const pages = client.getQueryData<InfiniteData<unknown>>(queryKey)?.pages.length ?? 0;
  const held = useScrolled() || pages > 1;
  const renew = () => {
    main()?.scrollTo(0, 0);
    client.setQueryData<InfiniteData<unknown>>(
      queryKey,
      (data) => data && { pages: data.pages.slice(0, 1), pageParams: data.pageParams.slice(0, 1) },
    );
    void client.invalidateQueries({ queryKey });
  };
  return { held, waits: held && isInvalid, renew };
}

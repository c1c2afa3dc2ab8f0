/** The present, once for all that shows it: each second where something within two minutes is shown, else each minute. */
import { useSyncExternalStore } from 'react';

const SECOND = 1_000;
const MINUTE = 60_000;

function ticker(step: number) {
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const listeners = new Set<() => void>();
  const tick = () => {
    if (document.hidden) return;
    now = Date.now();
    for (const listener of listeners) listener();
  };
  return {
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      if (!timer) {
        now = Date.now();
        timer = setInterval(tick, step);
        document.addEventListener('visibilitychange', tick);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size) return;
        clearInterval(timer);
        timer = undefined;
        document.removeEventListener('visibilitychange', tick);
      };
    },
    now: () => now,
  };
}

const seconds = ticker(SECOND);
const minutes = ticker(MINUTE);

/** The present, anew each second or each minute. */
export function useNow(step: 'second' | 'minute'): number {
  const of = step === 'second' ? seconds : minutes;
  return useSyncExternalStore(of.subscribe, of.now, of.now);
}

/** Whether an instant is so near that its seconds matter. */
export function isNear(ms: number, now: number): boolean {
  return Math.abs(ms - now) < 2 * MINUTE;
}

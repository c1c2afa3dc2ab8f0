/** The keys of the whole console. Letters can be switched off, and none is a command while somebody types. */
import { useRouter } from '@tanstack/react-router';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { session } from '../api/queries';
import { pause } from '../api/stream/follow';
import { choose, prefs } from '../look/prefs';
import { placesOf } from './places';

/** How long `g` waits for its second letter, milliseconds. */
const WAITS = 1_500;

/** When `g` was pressed. */
let going = 0;

/** Whether the next letter says where to go. */
export function isGoing(): boolean {
  return Date.now() - going < WAITS;
}

/** Is somebody typing, also with an input method? */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return event.isComposing || target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

/** The zones that `z` goes through. */
export function nextZone(zone: string): string {
  const all = ['mine', 'UTC', 'job'];
  return all[(all.indexOf(zone) + 1) % all.length] ?? 'mine';
}

export function useKeys(find: () => void): void {
  const router = useRouter();
  const client = useQueryClient();
  const found = useRef(find);
  found.current = find;
  useEffect(() => {
    let stopped = false;
    const press = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        found.current();
        return;
      }
      if (isTyping(event) || event.metaKey || event.ctrlKey || event.altKey || document.querySelector('[role=dialog]')) return;
      if (!prefs().letters) return;
      const place = isGoing() ? placesOf(client.getQueryData(session.queryKey)).find(({ letter }) => letter === event.key) : undefined;
      going = event.key === 'g' ? Date.now() : 0;
      if (place) void router.navigate({ to: place.to });
      else if (event.key === '/') document.querySelector<HTMLElement>('[data-search]')?.focus();
      else if (event.key === '\\') choose({ narrow: !prefs().narrow });
      else if (event.key === 'z') choose({ zone: nextZone(prefs().zone) });
      else if (event.key === 'p') pause((stopped = !stopped), client);
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [router, client]);
}

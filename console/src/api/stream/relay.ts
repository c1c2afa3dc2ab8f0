/**
 * Where a browser has no SharedWorker: the tab that holds a lease in `localStorage` has the stream, and tells the others by a BroadcastChannel.
 */
import { connect, type Told } from './source';

export interface Lease {
  id: string;
  until: number;
}

/** How long a lease lasts, and how often it is renewed, milliseconds. */
export const LASTS = 6_000;
const RENEWED = 2_000;
const KEY = 'clockwright.stream';

/** The lease as it is to be written by this tab, if the stream is its own now. */
export function take(held: Lease | undefined, id: string, now: number): Lease | undefined {
  return !held || held.id === id || held.until <= now ? { id, until: now + LASTS } : undefined;
}

/** Listens, by a connection of its own or another tab's; the answer ends it. */
export function relay(url: string, id: string, tell: (told: Told) => void): () => void {
  const channel = new BroadcastChannel(KEY);
  let close: (() => void) | undefined;
  channel.onmessage = (message: MessageEvent<Told>) => tell(message.data);
  const told = (what: Told) => {
    channel.postMessage(what);
    tell(what);
  };
  const read = () => JSON.parse(localStorage.getItem(KEY) ?? 'null') as Lease | null;
  const look = () => {
    // A tab that is not looked at leaves the stream to one that is.
    const mine = document.hidden ? undefined : take(read() ?? undefined, id, Date.now());
    if (mine) {
      localStorage.setItem(KEY, JSON.stringify(mine));
      close ??= connect(url, told);
    } else {
      close?.();
      close = undefined;
    }
  };
  look();
  const timer = setInterval(look, RENEWED);
  return () => {
    clearInterval(timer);
    close?.();
    if (read()?.id === id) localStorage.removeItem(KEY);
    channel.close();
  };
}

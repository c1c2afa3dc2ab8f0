/**
 * One connection to the live stream, kept up. The browser comes back by itself where a connection breaks, with the number of the last record; where it was
 * refused it does not, and we try again later. What was missed then is not known: `resync` says so, as the server does.
 */
export type EventType = 'hello' | 'journal' | 'live' | 'alert' | 'asof' | 'resync' | 'bye';
const TYPES: readonly EventType[] = ['hello', 'journal', 'live', 'alert', 'asof', 'resync', 'bye'];

/** What a connection tells. */
export type Told =
  | { kind: 'event'; type: EventType; data: unknown }
  /** It broke, so many times since something was heard. */
  | { kind: 'broken'; times: number; againAt: number }
  /** The session is over: it does not come back by itself. */
  | { kind: 'over' };

/** After how long a refused connection is tried again, milliseconds. */
export function pause(times: number): number {
  return Math.min(30_000, 1_000 * 2 ** Math.min(times, 5));
}

/** The server says something every five seconds. A connection that says nothing for so long is none any more, whatever the browser believes. */
const SILENT = 15_000;

/** Opens a connection; the answer closes it. */
export function connect(url: string, tell: (told: Told) => void): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let watch: ReturnType<typeof setTimeout> | undefined;
  let times = 0;
  let anew = false;

  const close = () => {
    source?.close();
    source = undefined;
    clearTimeout(timer);
    clearTimeout(watch);
  };

  const broken = (wait: number) => {
    times += 1;
    tell({ kind: 'broken', times, againAt: Date.now() + wait });
  };

  const later = () => {
    close();
    const wait = pause(times);
    broken(wait);
    anew = true;
    timer = setTimeout(open, wait);
  };

  const hearken = () => {
    clearTimeout(watch);
    watch = setTimeout(later, SILENT);
  };

  const open = () => {
    source = new EventSource(url);
    hearken();
    source.onerror = () => {
      if (source?.readyState === EventSource.CLOSED) later();
      else broken(3_000);
    };
    for (const type of TYPES) {
      source.addEventListener(type, (event) => {
        times = 0;
        hearken();
        const data: unknown = JSON.parse((event as MessageEvent<string>).data);
        tell({ kind: 'event', type, data });
        if (type === 'hello' && anew) {
          anew = false;
          tell({ kind: 'event', type: 'resync', data: { why: 'restart' } });
        }
        if (type === 'bye') {
          if ((data as { why: string }).why === 'shutdown') later();
          else {
            close();
            tell({ kind: 'over' });
          }
        }
      });
    }
  };
  open();
  return close;
}

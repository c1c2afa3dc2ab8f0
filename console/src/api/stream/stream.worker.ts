/**
 * The one stream of all tabs. Browsers allow six connections to a host on HTTP/1.1, and six tabs with a stream each would leave none for the seventh. It is open while
 * a tab is looked at, and half a minute longer.
 */
import { connect, type Told } from './source';

/** What a tab says: where the stream is, and whether it is looked at. */
export type FromTab = { url: string; visible: boolean } | 'leave' | 'again';

/** A tab that has not been heard of for so long is gone. It says every twenty seconds that it is looked at. */
const GONE = 45_000;
/** How long a stream that nobody looks at stays open. */
const LINGERS = 30_000;

const seen = new Map<MessagePort, number>();
const ports = new Set<MessagePort>();
let close: (() => void) | undefined;
let url = '';
let unseenSince = 0;

const tell = (told: Told) => {
  for (const port of ports) port.postMessage(told);
  if (told.kind === 'over') {
    close = undefined;
  }
};

function look(): void {
  const now = Date.now();
  const looked = [...seen.values()].some((at) => now - at < GONE);
  if (looked) {
    unseenSince = 0;
    if (url) close ??= connect(url, tell);
  } else {
    unseenSince ||= now;
    if (now - unseenSince >= LINGERS) {
      close?.();
      close = undefined;
    }
  }
}

function hear(port: MessagePort, said: FromTab): void {
  if (said === 'leave') {
    ports.delete(port);
    seen.delete(port);
  } else if (said === 'again') {
    close?.();
    close = undefined;
  } else {
    url = said.url;
    if (said.visible) seen.set(port, Date.now());
    else seen.delete(port);
  }
  look();
}

addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  ports.add(port);
  port.onmessage = (message: MessageEvent<FromTab>) => hear(port, message.data);
});
setInterval(look, 5_000);

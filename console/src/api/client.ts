/**
 * The one way to the server. It asks below the page's own address (`<base href>`), so a path prefix needs nothing; it marks what it sends as coming from
 * our pages, gives each POST a key so that it is carried out once, reads its own writes behind a balancer, and turns refusals into a {@link Problem}.
 */
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from '../made/types';
import { problemOf, unreachable } from './problem';

export type Schemas = components['schemas'];

/** Where the console lies, without a slash at its end. */
export const BASE = typeof document === 'undefined' ? '' : new URL('.', document.baseURI).href.replace(/\/$/, '');

/** The newest record of the journal that a change of ours made. */
let written = 0;
const overs = new Set<() => void>();

/** Calls when a request is refused since the session is over. */
export function whenOver(listener: () => void): () => void {
  overs.add(listener);
  return () => overs.delete(listener);
}

/** A key for a request that is to be carried out once. Plain HTTP has no `randomUUID`. */
export function onceKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const house: Middleware = {
  onRequest({ request }) {
    request.headers.set('Clockwright-Request', '1');
    if (written > 0) request.headers.set('Clockwright-Min-Seq', String(written));
    if (request.method === 'POST' && !request.headers.has('Idempotency-Key')) request.headers.set('Idempotency-Key', onceKey());
    return request;
  },
  async onResponse({ request, response }) {
    if (response.ok) {
      const seq = Number(response.headers.get('clockwright-seq'));
      if (request.method !== 'GET' && seq > written) written = seq;
      return;
    }
    const problem = await problemOf(response);
    if (problem.isOver) for (const listener of overs) listener();
    throw problem;
  },
  onError({ error }) {
    // Who left the page does not wait for an answer.
    return error instanceof DOMException && error.name === 'AbortError' ? error : unreachable();
  },
};

export const server = createClient<paths>({ baseUrl: BASE, credentials: 'same-origin' });
server.use(house);

/** The body of an answer: refusals were thrown. */
export async function body<T>(asked: Promise<{ data?: T; response: Response }>): Promise<T> {
  return (await asked).data as T;
}

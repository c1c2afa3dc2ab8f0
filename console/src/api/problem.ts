/** What the server refuses with (RFC 9457), and what stands for it when no server answers. */
import type { components } from '../made/types';

type Body = components['schemas']['Problem'];

/** What is wrong at one place of a body. */
export type Fault = components['schemas']['Detail'];

export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  /** The stable code; `unreachable` when nobody answers. */
  readonly code: string;
  readonly detail: string;
  readonly fix: string;
  /** The request's id, which the server's log has too. */
  readonly request: string;
  readonly faults: readonly Fault[];
  /** After how many seconds to ask again. */
  readonly retryAfter: number | undefined;

  constructor(body: Partial<Body> & { status: number; code: string }) {
    super(body.detail ?? body.code);
    this.status = body.status;
    this.code = body.code;
    this.detail = body.detail ?? '';
    this.fix = body.fix ?? '';
    this.request = body.instance ?? '';
    this.faults = body.errors ?? [];
    this.retryAfter = body.retryAfter ?? undefined;
  }

  /** Nobody is signed in any more. */
  get isOver(): boolean {
    return this.status === 401 && (this.code === 'session-over' || this.code === 'not-signed-in');
  }

  /** Asking again may help: nobody answered, or only for now. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 503;
  }
}

/** The problem of a response. */
export async function problemOf(response: Response): Promise<Problem> {
  const status = response.status;
  try {
    const body = (await response.json()) as Body;
    if (typeof body.code === 'string') return new Problem(body);
  } catch {
    // A proxy answered in its own words.
  }
  return new Problem({ status, code: status >= 502 && status <= 504 ? 'unreachable' : 'internal', detail: `HTTP ${status}` });
}

/** Nobody answered. */
export function unreachable(): Problem {
  return new Problem({ status: 0, code: 'unreachable' });
}

/** Whatever went wrong, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ status: 0, code: 'defect', detail });
}

/** How fresh what is on screen is, from what was heard of the stream and when. Pure. */
export type State = 'connecting' | 'live' | 'catchingUp' | 'old' | 'away' | 'paused';

/** What is known of the stream. */
export interface Heard {
  /** When something was last heard; 0 for never. */
  at: number;
  /** How often it broke since. */
  broken: number;
  /** When it is tried again. */
  againAt: number;
  /** Since when nothing is heard any more. */
  since: number;
  /** When the reader stopped it; 0 while it goes on. */
  pausedAt: number;
  /** The browser says that there is no network. */
  offline: boolean;
  /** What was missed is asked for. */
  catchingUp: boolean;
  /** The ages of projects, as they were last told. */
  ages: Record<string, { asOf?: string; state: string }>;
}

export const NOTHING: Heard = {
  at: 0, broken: 0, againAt: 0, since: 0, pausedAt: 0, offline: false, catchingUp: false, ages: {},
};

/** The server says something every five seconds; twice that, and something is wrong. */
const QUIET = 11_000;
/** After so many failures the server is out of reach. */
const FAILURES = 3;

export function state(heard: Heard, now: number): State {
  if (heard.pausedAt) return 'paused';
  if (heard.offline || heard.broken >= FAILURES) return 'away';
  if (heard.at === 0) return 'connecting';
  if (heard.broken > 0 || now - heard.at > QUIET) return 'old';
  return heard.catchingUp ? 'catchingUp' : 'live';
}

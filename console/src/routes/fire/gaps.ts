/** What it means that something has no outcome yet, by the server's words. */
import { RUNNING, type Sign, UNACCOUNTED } from '../../parts/Glyph';

export const GAPS: Readonly<Record<string, Sign>> = {
  running: RUNNING,
  due: { shape: 'g-wait', tone: 'wait', word: 'gap.due' },
  open: UNACCOUNTED,
  noRecord: { shape: 'g-wait', tone: 'wait', word: 'gap.noRecord' },
  beforeRecord: { shape: 'g-wait', tone: 'wait', word: 'gap.beforeRecord' },
  beforeChange: { shape: 'g-wait', tone: 'wait', word: 'gap.beforeChange' },
  peers: { shape: 'g-wait', tone: 'wait', word: 'gap.peers' },
};

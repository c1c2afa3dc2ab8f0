/** How bad an alert is, and how it stands, as shapes and words. */
import type { Schemas } from '../../api/client';
import type { Sign } from '../../parts/Glyph';
import type { MessageId } from '../../words/ids';

export const SEVERITIES: Readonly<Record<Schemas['Severity'], Sign>> = {
  critical: { shape: 's-none', tone: 'fail', word: 'severity.critical' },
  warning: { shape: 's-bad', tone: 'miss', word: 'severity.warning' },
  info: { shape: 's-ok', tone: 'skip', word: 'severity.info' },
};

export const STATES: Readonly<Record<string, MessageId>> = {
  firing: 'alert.firing',
  acked: 'alert.acked',
  resolved: 'alert.resolved',
};

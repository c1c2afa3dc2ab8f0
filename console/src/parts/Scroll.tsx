import type { ReactNode } from 'react';
import t from './Table.module.css';

/** What may be wider than the screen and has nothing in it to go to: it is gone to itself, so that keys scroll it. */
export function Scroll({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className={t.scroll} role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

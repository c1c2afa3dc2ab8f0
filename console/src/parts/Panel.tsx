import { type ReactNode, useId } from 'react';
import { Boundary } from './Boundary';
import s from './Panel.module.css';

interface Props {
  title: ReactNode;
  /** What stands at the right of the title. */
  side?: ReactNode;
  children: ReactNode;
}

/** A part of a page with a title. It fails alone. */
export function Panel({ title, side, children }: Props) {
  const id = useId();
  return (
    <section className={s.panel} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {side !== undefined && <div className={s.side}>{side}</div>}
      </header>
      <Boundary>{children}</Boundary>
    </section>
  );
}

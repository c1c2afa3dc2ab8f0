import { Button as AriaButton, type ButtonProps } from 'react-aria-components';
import s from './Button.module.css';

interface Props extends Omit<ButtonProps, 'className' | 'style'> {
  look?: 'usual' | 'primary' | 'quiet';
  small?: boolean;
  /** It has a picture alone, and a label for those who do not see it. */
  icon?: boolean;
  /** What it began goes on: whoever listens to it does nothing meanwhile. It keeps the focus. */
  busy?: boolean;
}

/** A button. Its word is a verb. */
export function Button({ look = 'usual', small, icon, busy, ...props }: Props) {
  const classes = [s.btn, look === 'primary' && s.pri, look === 'quiet' && s.quiet, small && s.sm, icon && s.icon];
  return <AriaButton {...props} data-busy={busy || undefined} className={classes.filter(Boolean).join(' ')} />;
}

import { ToggleButton, ToggleButtonGroup } from 'react-aria-components';
import s from './Segmented.module.css';

interface Props<T extends string> {
  label: string;
  /** The one that is chosen; none while nothing is. */
  value: T | undefined;
  of: readonly { id: T; text: string; isDisabled?: boolean }[];
  onChange: (value: T) => void;
  isDisabled?: boolean;
}

/** A few ways, of which one is chosen. */
export function Segmented<T extends string>({ label, value, of, onChange, isDisabled = false }: Props<T>) {
  return (
    <ToggleButtonGroup
      aria-label={label}
      className={s.seg ?? ''}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={value === undefined ? [] : [value]}
      isDisabled={isDisabled}
      onSelectionChange={(keys) => {
        const picked = of.find((one) => keys.has(one.id));
        if (picked && picked.id !== value) onChange(picked.id);
      }}
    >
      {of.map(({ id, text, isDisabled: isOff = false }) => (
        <ToggleButton key={id} id={id} isDisabled={isOff}>
          {text}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}

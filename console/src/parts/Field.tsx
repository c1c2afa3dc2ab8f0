import { FieldError, Input, Label, Text, TextField, type TextFieldProps } from 'react-aria-components';
import s from './Field.module.css';

interface Props extends Omit<TextFieldProps, 'className' | 'children'> {
  label: string;
  hint?: string;
  /** What is wrong with it. */
  fault?: string | undefined;
}

/** A line of text with its label, its hint and what is wrong with it. */
export function Field({ label, hint, fault, ...props }: Props) {
  return (
    <TextField {...props} className={s.field ?? ''} isInvalid={fault !== undefined} validationBehavior="aria">
      <Label>{label}</Label>
      <Input />
      {hint && (
        <Text slot="description" className={s.hint}>
          {hint}
        </Text>
      )}
      <FieldError className={s.fault ?? ''}>{fault}</FieldError>
    </TextField>
  );
}

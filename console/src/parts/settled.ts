import { useEffect, useState } from 'react';

/** How long somebody pauses in typing before what they typed is asked about, milliseconds. */
const PAUSE = 150;

/** A value, once it has stood for a moment. */
export function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

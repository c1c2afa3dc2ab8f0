/** An address that came from data, if it is one to go to: http, https, or a path of this site; else nothing. */
export function safeLink(text: string): string | undefined {
  if (/^\/(?![/\\])/.test(text)) return text;
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** A path of this site to go on to after signing in, if it is one. */
export function safeNext(text: string | undefined): string | undefined {
  return text && /^\/(?![/\\])/.test(text) && !/\/sign-in\b/.test(text) && !/[\u0000-\u001f]/.test(text) ? text : undefined;
}

/** The secret of a link: it stands behind the `#` of the address, is read once and taken out of it, so that no history keeps it. */
let secret = '';

/** Takes it out of the address, before the router sees it. */
export function takeSecret(): void {
  if (!/\/(setup|link|rescue)$/.test(location.pathname) || !location.hash) return;
  secret = location.hash.slice(1);
  history.replaceState(history.state, '', location.pathname + location.search);
}

export function secretOfLink(): string {
  return secret;
}

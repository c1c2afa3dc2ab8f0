import { SetupPage } from './Page';

/** The link that the server's first start prints. */
export function FirstPage() {
  return <SetupPage first />;
}

/** A link of an administrator: an invitation, a new password, or a rescue. */
export function LinkPage() {
  return <SetupPage first={false} />;
}

import { SetupPage } from './Page';

/** The link that the server's first start prints. */
export function FirstPage() {
  return <SetupPage kind="setup" />;
}

/** A link of an administrator: an invitation, or a new password. */
export function LinkPage() {
  return <SetupPage kind="link" />;
}

/** A link by which somebody comes in for an hour when nobody else gets in. */
export function RescuePage() {
  return <SetupPage kind="rescue" />;
}

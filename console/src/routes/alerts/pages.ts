/** What is read when alerts are gone to. */
export { ChannelsPage } from './Channels';
export { AlertsPage } from './Inbox';
export { AlertsLayout } from './Layout';
export { AlertPage } from './One';
export { RulesPage } from './Rules';
export { SilencesPage } from './Silences';

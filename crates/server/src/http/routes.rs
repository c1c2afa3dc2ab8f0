//! The table of routes: every door of this server, with what it needs.

use super::grant::Open;
use super::openapi::Described;
use super::route::Routes;
use super::v1::{
    alerts, channels, facets, find, fleet, history, hosts, jobs, journal, ledger, links, lists, live, me,
    oidc, operations, people, plans, projects, rules, schedules, session, stream, suggest, sync, system,
    upcoming,
};
use crate::app::App;
use axum::Router;
use clockwright_api::Code;
use clockwright_api::paths as at;
use clockwright_api::permission::kinds::*;
use std::sync::Arc;

/// All routes.
#[must_use]
pub fn table() -> Routes {
    let mut routes = Routes::default();
    doors(&mut routes);
    of_oneself(&mut routes);
    of_people(&mut routes);
    of_projects(&mut routes);
    of_jobs(&mut routes);
    of_what_is_live(&mut routes);
    of_history(&mut routes);
    of_operations(&mut routes);
    of_sync(&mut routes);
    of_alerts(&mut routes);
    of_channels(&mut routes);
    of_journal(&mut routes);
    of_system(&mut routes);
    routes
}

/// The router, and the rows that it was made of.
pub fn router() -> (Router<Arc<App>>, Vec<Described>) {
    table().finish()
}

fn doors(routes: &mut Routes) {
    routes.get(Open, at::LIVEZ, "Is the server alive?", system::alive);
    routes.get(Open, at::READYZ, "May the server be sent requests?", system::ready);
    routes.get(Open, at::HEALTHZ, "Is all well?", system::health);
    routes.get(Open, at::HEALTH, "The same", system::health);
    routes.get(Open, at::VERSION, "Which program is it?", system::version);
    routes.get(Open, at::OPENAPI_JSON, "The document of this interface", system::document);
    routes.get(Open, at::PROBLEM, "What a problem means, and what to do about it", system::problem);
    routes.ask(Open, at::SESSION, "Sign in", session::begin);
    routes.refuses(&[Code::SignInFailed]);
    routes.get(Open, at::OIDC_BEGIN, "Go to the identity provider to sign in", oidc::begin);
    routes.refuses(&[Code::SignInFailed]);
    routes.get(Open, at::OIDC_CALLBACK, "Come back from the identity provider, signed in", oidc::callback);
    routes.refuses(&[Code::SignInFailed]);
    routes.ask(Open, at::LINK, "Use a link: choose a password, and be signed in", links::use_up);
    routes.refuses(&[Code::LinkUsed, Code::NameTaken]);
}

fn of_oneself(routes: &mut Routes) {
    routes.get(Own, at::SESSION, "Who is signed in, and what they may", session::show);
    routes.delete(
        OwnChange,
        at::SESSION,
        "Sign out: the session, or the token that asks, ends",
        session::end,
    );
    routes.get(Own, at::ME, "One's own profile", me::show);
    routes.patch(OwnChange, at::ME, "Change one's own profile", me::change);
    routes.put(OwnChange, at::ME_PASSWORD, "Change one's own password; other sessions end", me::set_password);
    routes.refuses(&[Code::SignInFailed]);
    routes.post(OwnChange, at::ME_STEP_UP, "Prove again who one is, for what needs it", me::step_up);
    routes.refuses(&[Code::SignInFailed]);
    routes.get(Own, at::ME_SESSIONS, "One's own sessions", me::sessions);
    routes.delete(OwnChange, at::ME_SESSIONS, "End one's own other sessions", me::end_sessions);
    routes.delete(OwnChange, at::ME_SESSION, "End one of one's own sessions", me::end_session);
    routes.get(Own, at::ME_TOKENS, "One's own tokens", me::tokens);
    routes.post(TokenOwn, at::ME_TOKENS, "Make a token; its secret is shown once", me::make_token);
    routes.delete(TokenOwn, at::ME_TOKEN, "End a token", me::end_token);
}

fn of_people(routes: &mut Routes) {
    routes.get(UserRead, at::USERS, "List people", people::list);
    routes.post(UserManage, at::USERS, "Invite somebody; their link is shown once", people::invite);
    routes.refuses(&[Code::NameTaken]);
    routes.get(UserRead, at::USER, "Somebody", people::show);
    routes.patch(UserManage, at::USER, "Change somebody's profile", people::change);
    routes.delete(
        UserManage,
        at::USER,
        "Remove somebody, with their sessions, tokens and roles",
        people::remove,
    );
    routes.refuses(&[Code::LastAdmin]);
    routes.post(UserManage, at::USER_LINK, "Make a link by which somebody chooses a password", people::link);
    routes.post(
        UserManage,
        at::USER_DISABLE,
        "Keep somebody out; their sessions and tokens end",
        people::disable,
    );
    routes.refuses(&[Code::LastAdmin]);
    routes.post(UserManage, at::USER_ENABLE, "Let somebody in again", people::enable);
    routes.post(UserManage, at::USER_END_SESSIONS, "End somebody's sessions", people::end_sessions);
    routes.get(UserRead, at::MEMBERS, "Who has a role on all projects", projects::everywhere);
    routes.put(UserManage, at::MEMBER, "Give a role on all projects", projects::set_everywhere);
    routes.refuses(&[Code::LastAdmin]);
    routes.delete(UserManage, at::MEMBER, "Take a role on all projects away", projects::drop_everywhere);
    routes.refuses(&[Code::LastAdmin]);
    routes.get(TokenRead, at::SERVICES, "List service accounts", people::services);
    routes.post(TokenManage, at::SERVICES, "Make a service account", people::make_service);
    routes.refuses(&[Code::NameTaken]);
    routes.delete(
        TokenManage,
        at::SERVICE,
        "Remove a service account, with its tokens and roles",
        people::remove_service,
    );
    routes.get(TokenRead, at::SERVICE_TOKENS, "A service account's tokens", people::tokens);
    routes.post(TokenManage, at::SERVICE_TOKENS, "Make a token of a service account", people::make_token);
    routes.delete(TokenManage, at::SERVICE_TOKEN, "End a token of a service account", people::end_token);
}

fn of_projects(routes: &mut Routes) {
    routes.get(ProjectRead, at::PROJECTS, "List the projects that one may see", projects::list);
    routes.post(ProjectCreate, at::PROJECTS, "Make a project", projects::make);
    routes.refuses(&[Code::NameTaken, Code::NamespaceTaken]);
    routes.get(ProjectRead, at::PROJECT, "A project", projects::show);
    routes.patch(ProjectWrite, at::PROJECT, "Change a project", projects::change);
    routes.delete(ProjectWrite, at::PROJECT, "End a project; its registry stays as it is", projects::remove);
    routes.refuses(&[Code::ProjectInUse]);
    routes.get(MembersRead, at::PROJECT_MEMBERS, "Who belongs to a project", projects::members);
    routes.put(ProjectMembers, at::PROJECT_MEMBER, "Give a role on a project", projects::set_member);
    routes.delete(ProjectMembers, at::PROJECT_MEMBER, "Take a role away", projects::drop_member);
}

fn of_jobs(routes: &mut Routes) {
    const SAVED: &[Code] =
        &[Code::CodeNotAllowed, Code::ManagedByFiles, Code::JobRemoving, Code::LayoutCannot];
    routes.get(JobRead, at::JOBS, "List the jobs of all projects that one may see", lists::all);
    routes.refuses(&[Code::BadCursor, Code::BadFilter]);
    routes.get(JobRead, at::JOBS_FACETS, "How many jobs a search finds of each kind", facets::show);
    routes.refuses(&[Code::BadFilter, Code::Invalid]);
    routes.get(JobRead, at::JOBS_ANCHORS, "Places in the list of jobs, to begin to read at", lists::anchors);
    routes.refuses(&[Code::BadFilter, Code::Invalid]);
    routes.get(JobRead, at::PROJECT_JOBS, "List a project's jobs", lists::of_project);
    routes.refuses(&[Code::BadCursor, Code::BadFilter]);
    routes.post(JobWrite, at::PROJECT_JOBS, "Make a job", jobs::make);
    routes.refuses(&[Code::NameTaken, Code::CodeNotAllowed, Code::JobExistsInRegistry, Code::LayoutCannot]);
    routes.get(JobRead, at::JOB, "A job, as the database has it", jobs::show);
    routes.put(JobWrite, at::JOB, "Say what a job is, as a whole", jobs::replace);
    routes.refuses(SAVED);
    routes.patch(JobWrite, at::JOB, "Change some of a job's settings", jobs::change);
    routes.refuses(SAVED);
    routes.get(JobRead, at::JOB_YAML, "A job as a jobs file", plans::yaml);
    routes.ask(JobRead, at::JOB_PREVIEW, "What other settings of a job would change", plans::preview);
    routes.ask(
        JobRead,
        at::JOB_WHAT_IF,
        "Where a job's items would be if instances left or came",
        plans::what_if,
    );
    routes.refuses(&[Code::Invalid, Code::RegistryAway]);
    routes.get(JobRead, at::PROJECT_EXPORT, "All jobs of a project as a jobs file", plans::export);
    routes.ask(JobRead, at::PROJECT_PLAN, "What jobs files would change", plans::plan);
    routes.refuses(&[Code::BadYaml]);
    routes.post(JobWrite, at::PROJECT_APPLY, "Let jobs be as files say", plans::apply);
    routes.refuses(&[
        Code::BadYaml,
        Code::PlanStale,
        Code::CodeNotAllowed,
        Code::Diverged,
        Code::OwnedBy,
        Code::ManagedByConsole,
        Code::JobExistsInRegistry,
        Code::JobRemoving,
        Code::LayoutCannot,
    ]);
    routes.get(JobRead, at::JOB_VERSIONS, "A job's versions, the newest first", jobs::versions);
    routes.refuses(&[Code::BadCursor]);
    routes.get(JobRead, at::JOB_VERSION, "One version of a job", jobs::version);
    routes.get(
        JobRead,
        at::JOB_VERSION_DIFF,
        "Which settings differ between two versions",
        jobs::differences,
    );
    routes.post(JobWrite, at::JOB_ROLLBACK, "Go back to an earlier version's settings", jobs::roll_back);
    routes.refuses(SAVED);
}

fn of_what_is_live(routes: &mut Routes) {
    routes.get(JobRead, at::OVERVIEW, "How everything stands that one may see", find::overview);
    routes.refuses(&[Code::Invalid]);
    routes.get(JobRead, at::SEARCH, "Find projects, jobs and hosts by some letters", find::search);
    routes.refuses(&[Code::BadFilter]);
    routes.get(JobRead, at::SUGGEST, "What a word of a search may become", suggest::suggest);
    routes.refuses(&[Code::Invalid]);
    routes.get(Own, at::SCHEDULES_NEXT, "When a schedule fires", schedules::next);
    routes.refuses(&[Code::Invalid]);
    routes.ask(
        Own,
        at::SCHEDULES_PREVIEW,
        "What a schedule would be, or what is wrong with it",
        schedules::preview,
    );
    routes.refuses(&[Code::Invalid]);
    routes.get(JobRead, at::UPCOMING, "How much is due in each minute of the next day", upcoming::counts);
    routes.get(JobRead, at::UPCOMING_LIST, "Which jobs fire soon", upcoming::list);
    routes.get(JobRead, at::FLEET_INSTANCES, "Processes of all projects that one may see", fleet::list);
    routes.get(JobRead, at::FLEET_INSTANCE, "A process, with its jobs", fleet::show);
    routes.get(JobRead, at::FLEET_HOSTS, "Hosts of all projects that one may see", fleet::all_hosts);
    routes.get(JobRead, at::STREAM, "What changes, as it happens", stream::listen);
    routes.refuses(&[Code::BadCursor, Code::BadFilter, Code::Invalid, Code::TooManyStreams]);
    routes.get(JobRead, at::JOB_LIVE, "A job as the registry has it now", live::show);
    routes.refuses(&[Code::RegistryAway, Code::RegistryDenied]);
    routes.get(JobRead, at::JOB_ITEMS, "Where a job's items are, and which of them run", live::items);
    routes.refuses(&[Code::RegistryAway]);
    routes.get(JobRead, at::JOB_INSTANCES, "Who serves a job", live::instances);
    routes.refuses(&[Code::RegistryAway]);
    routes.get(DumpRead, at::JOB_DUMP, "A job's nodes as text", live::dump);
    routes.refuses(&[Code::RegistryAway, Code::RegistryDenied]);
    routes.get(JobRead, at::HOSTS, "The hosts of a project", hosts::list);
    routes.refuses(&[Code::RegistryAway]);
    routes.get(JobRead, at::HOST, "A host, with what is on it", hosts::show);
    routes.refuses(&[Code::RegistryAway, Code::NoSuchHost]);
}

fn of_history(routes: &mut Routes) {
    const PAGES: &[Code] = &[Code::BadCursor, Code::Invalid];
    const FOUND: &[Code] = &[Code::BadCursor, Code::BadFilter, Code::Invalid];
    routes.get(HistoryRead, at::RUNS, "Outcomes in all projects that one may see", history::all);
    routes.refuses(FOUND);
    routes.get(HistoryRead, at::RUN, "All that is known of one run", history::show);
    routes.get(HistoryRead, at::PROJECT_RUNS, "Outcomes in a project", history::of_project);
    routes.refuses(FOUND);
    routes.get(HistoryRead, at::JOB_RUNS, "Outcomes of a job", history::of_job);
    routes.refuses(FOUND);
    routes.get(
        HistoryRead,
        at::PROJECT_ATTEMPTS,
        "Attempts at the jobs of a project, those of Elastic-Job's instances too",
        history::project_attempts,
    );
    routes.refuses(PAGES);
    routes.get(
        HistoryRead,
        at::JOB_ATTEMPTS,
        "Attempts of a job, those of Elastic-Job's instances too",
        history::attempts,
    );
    routes.refuses(PAGES);
    routes.get(
        HistoryRead,
        at::JOB_LEDGER,
        "Every due instant of a job with its one outcome, those that have none, and the balance of it all",
        ledger::show,
    );
    routes.refuses(&[Code::Invalid, Code::NoSuchItem]);
    routes.get(
        HistoryRead,
        at::JOB_FIRE,
        "One fire of a job: what became of each item, by which attempts",
        ledger::fire,
    );
    routes.get(
        HistoryRead,
        at::JOB_CHANGES,
        "Who came and went around a job, and who held it",
        ledger::changes,
    );
    routes.refuses(&[Code::BadCursor]);
    routes.get(
        HistoryRead,
        at::PROJECT_STATS,
        "How fires of a project ended, counted",
        history::project_stats,
    );
    routes.refuses(&[Code::Invalid]);
    routes.get(HistoryRead, at::JOB_STATS, "How fires of a job ended, counted", history::job_stats);
    routes.refuses(&[Code::Invalid]);
    routes.get(
        HistoryRead,
        at::PROJECT_LOSSES,
        "What could not be kept of a project's history",
        history::losses,
    );
    routes.refuses(&[Code::Invalid]);
}

fn of_operations(routes: &mut Routes) {
    const AWAY: &[Code] =
        &[Code::RegistryAway, Code::RegistryDenied, Code::RegistryOfAnotherPlane, Code::RegistryRegressed];
    macro_rules! on {
        ($($path:ident $title:literal $handler:ident [$($code:ident),*],)*) => { $(
            routes.post(JobOperate, at::$path, $title, operations::$handler);
            routes.refuses(AWAY);
            routes.refuses(&[Code::JobRemoving $(, Code::$code)*]);
        )* };
    }
    on!(
        JOB_TRIGGER "Let a job fire now" trigger [ItemsRunning, JobPaused, JobOffline, NoLiveInstance],
        JOB_OFFLINE "Put a job offline: it runs nowhere until it is online" offline [],
        JOB_ONLINE "Put a job online" online [],
        JOB_PAUSE "Pause a job: nothing of it begins" pause [],
        JOB_RESUME "End a job's pause and drain, or the drain of one of its hosts" resume [],
        JOB_DRAIN "Drain a job or one of its hosts: what runs ends, nothing begins" drain [NoSuchHost],
        JOB_DISABLE "Disable a job, or keep it off a host" disable [NoSuchHost],
        JOB_ENABLE "Enable a job, or let it on a host again" enable [NoSuchHost],
        JOB_REBALANCE "Share a job's items out anew" rebalance [StaticSharding, NoLiveInstance],
        JOB_SHUTDOWN "Let instances give a job up; their processes go on" shutdown [NoSuchHost],
        ITEM_DISABLE "Leave an item out" disable_item [NoSuchItem],
        ITEM_ENABLE "Take an item in again" enable_item [NoSuchItem],
        ITEM_RESUME "Say from where a held item goes on" resume_item [NoSuchItem],
        HOST_DISABLE "Disable a host in all jobs" disable_host [NoSuchHost],
        HOST_ENABLE "Enable a host in all jobs" enable_host [NoSuchHost],
        HOST_DRAIN "Drain a host: what runs there ends, nothing begins" drain_host [NoSuchHost],
        HOST_RESUME "End the drain of a host" resume_host [NoSuchHost],
        HOST_SHUTDOWN "Let the instances on a host give all jobs up" shutdown_host [NoSuchHost],
    );
    routes.delete(
        JobRemove,
        at::JOB,
        "Remove a job from the registry; its versions and its history stay",
        operations::remove,
    );
    routes.refuses(AWAY);
    routes.refuses(&[Code::JobRemoving, Code::ItemsRunning, Code::StillServed, Code::ManagedByFiles]);
    routes.get(JobRead, at::PROJECT_HOLDS, "What stands still by somebody's wish", operations::holds);
    routes.post(JobOperate, at::BULK, "Do one thing with many jobs", operations::bulk);
    routes.refuses(&[Code::BadFilter, Code::SelectionChanged]);
    routes.get(JobRead, at::OPERATIONS, "Operations, the newest first", operations::list);
    routes.get(JobRead, at::OPERATION, "How far an operation is", operations::show);
    routes.post(
        JobOperate,
        at::OPERATION_CANCEL,
        "Ask for an operation's end before the time; what was done by then stays",
        operations::cancel,
    );
}

fn of_sync(routes: &mut Routes) {
    const AWAY: &[Code] =
        &[Code::RegistryAway, Code::RegistryDenied, Code::RegistryOfAnotherPlane, Code::RegistryRegressed];
    routes.get(SyncRead, at::JOB_SYNC, "How the registry agrees with a job now", sync::show);
    routes.refuses(AWAY);
    routes.post(
        SyncRun,
        at::JOB_SYNC,
        "Look at a job in the registry, and put right what is to be",
        sync::run,
    );
    routes.refuses(AWAY);
    routes.post(
        SyncAdopt,
        at::JOB_SYNC_RESOLVE,
        "Say which of the two is right: the database or the registry",
        sync::resolve,
    );
    routes.refuses(AWAY);
    routes.get(SyncRead, at::PROJECT_SYNC, "How the registry agrees with a project's jobs", sync::of_project);
    routes.post(
        SyncRun,
        at::PROJECT_SYNC,
        "Look at all jobs of a project in the registry, and put right what is to be",
        sync::run_project,
    );
    routes.refuses(AWAY);
    routes.post(
        ProjectWrite,
        at::PROJECT_SYNC_CONFIRM,
        "The registry is the right one: write what the guard held",
        sync::confirm,
    );
    routes.refuses(AWAY);
    routes.get(SyncRead, at::DRIFTS, "What others wrote into the registry", sync::drifts);
    routes.refuses(&[Code::BadCursor]);
    routes.get(SyncRead, at::DRIFT, "One thing that somebody else wrote", sync::drift);
    routes.get(SyncRead, at::PROJECT_UNMANAGED, "Jobs that only the registry has", sync::unmanaged);
    routes.refuses(AWAY);
    routes.post(
        SyncAdopt,
        at::PROJECT_UNMANAGED_ADOPT,
        "Take jobs over that only the registry has",
        sync::adopt,
    );
    routes.refuses(AWAY);
}

fn of_alerts(routes: &mut Routes) {
    routes.get(AlertRead, at::RULES, "Rules of all projects", rules::list);
    routes.post(AlertAll, at::RULES, "Make a rule of all projects", rules::make);
    routes.get(AlertRead, at::RULE, "A rule of all projects", rules::show);
    routes.put(AlertAll, at::RULE, "Say what a rule of all projects is", rules::change);
    routes.delete(AlertAll, at::RULE, "Remove a rule of all projects", rules::remove);
    routes.get(AlertRead, at::PROJECT_RULES, "Rules of a project, and of all", rules::list);
    routes.post(AlertWrite, at::PROJECT_RULES, "Make a rule of a project", rules::make);
    routes.get(AlertRead, at::PROJECT_RULE, "A rule of a project", rules::show);
    routes.put(AlertWrite, at::PROJECT_RULE, "Say what a rule of a project is", rules::change);
    routes.delete(AlertWrite, at::PROJECT_RULE, "Remove a rule of a project", rules::remove);
    routes.get(AlertRead, at::ALERTS, "Alerts, the newest first", alerts::list);
    routes.refuses(&[Code::BadCursor, Code::Invalid]);
    routes.get(AlertRead, at::ALERT, "An alert", alerts::show);
    routes.post(
        AlertAct,
        at::ALERT_ACK,
        "Take an alert up: it is not told again while it is open",
        alerts::ack,
    );
    routes.refuses(&[Code::Gone]);
    routes.post(AlertAct, at::ALERT_UNACK, "Give an alert back", alerts::unack);
    routes.refuses(&[Code::Gone]);
    routes.get(AlertRead, at::SILENCES, "Silences that are not over", alerts::silences);
    routes.post(AlertAct, at::SILENCES, "Keep alerts from being sent for a while", alerts::make_silence);
    routes.put(AlertAct, at::SILENCE, "Say what a silence is", alerts::change_silence);
    routes.delete(AlertAct, at::SILENCE, "End a silence", alerts::remove_silence);
}

fn of_channels(routes: &mut Routes) {
    routes.get(ChannelRead, at::CHANNELS, "Channels of all projects", channels::list);
    routes.post(AlertAll, at::CHANNELS, "Make a channel of all projects", channels::make);
    routes.refuses(&[Code::NameTaken]);
    routes.put(AlertAll, at::CHANNEL, "Say what a channel of all projects is", channels::change);
    routes.refuses(&[Code::NameTaken]);
    routes.delete(AlertAll, at::CHANNEL, "Remove a channel of all projects", channels::remove);
    routes.post(AlertAll, at::CHANNEL_TEST, "Try a channel of all projects", channels::test);
    routes.get(ChannelRead, at::PROJECT_CHANNELS, "Channels of a project, and of all", channels::list);
    routes.post(ChannelWrite, at::PROJECT_CHANNELS, "Make a channel of a project", channels::make);
    routes.refuses(&[Code::NameTaken]);
    routes.put(ChannelWrite, at::PROJECT_CHANNEL, "Say what a channel is", channels::change);
    routes.refuses(&[Code::NameTaken]);
    routes.delete(ChannelWrite, at::PROJECT_CHANNEL, "Remove a channel", channels::remove);
    routes.post(ChannelWrite, at::PROJECT_CHANNEL_TEST, "Try a channel", channels::test);
    routes.get(ChannelRead, at::DELIVERIES, "Messages, the newest first", channels::deliveries);
    routes.refuses(&[Code::BadCursor, Code::Invalid]);
    routes.post(ChannelWrite, at::DELIVERY_AGAIN, "Send a message again", channels::again);
}

fn of_journal(routes: &mut Routes) {
    routes.get(AuditAll, at::JOURNAL, "The journal", journal::all);
    routes.refuses(&[Code::BadCursor]);
    routes.get(AuditAll, at::JOURNAL_VERIFY, "Does the journal's chain hold?", journal::verify);
    routes.get(AuditRead, at::PROJECT_JOURNAL, "The journal of a project", journal::of_project);
    routes.refuses(&[Code::BadCursor]);
}

fn of_system(routes: &mut Routes) {
    routes.get(SystemRead, at::SYSTEM, "The control servers, and which of them leads", system::system);
    routes.get(
        SystemRead,
        at::SYSTEM_DOCTOR,
        "What is not as it should be, and what to do about it",
        system::doctor,
    );
    routes.get(SystemRead, at::SYSTEM_CONFIG, "The configuration in force, without secrets", system::config);
    routes.get(MetricsRead, at::METRICS, "The metrics, in the text format of Prometheus", system::metrics);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi::{document, names};
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// Every `$ref` in a document.
    fn references(json: &Value, found: &mut BTreeSet<String>) {
        match json {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn the_document_has_every_route_with_the_names_of_its_address_and_names_nothing_that_it_lacks() {
        let (_, rows) = router();
        let routes: Vec<_> =
            rows.iter().map(|row| (row.method.as_str().to_ascii_lowercase(), row.path)).collect();
        let json = serde_json::to_value(document("0", rows)).expect("it is plain data");
        assert_eq!(json["openapi"], "3.1.0");
        for (method, path) in &routes {
            let operation = &json["paths"][path][method];
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let told: Vec<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            assert_eq!(told, names(path), "{method} {path}");
            let answers = operation["responses"].as_object().expect("it answers");
            assert!(answers.keys().any(|status| status.starts_with(['2', '3'])), "{method} {path}");
        }
        let ids: BTreeSet<&str> = routes
            .iter()
            .filter_map(|(method, path)| json["paths"][path][method]["operationId"].as_str())
            .collect();
        assert_eq!(ids.len(), routes.len(), "each operation has an id of its own");
        let mut found = BTreeSet::new();
        references(&json, &mut found);
        for reference in found {
            let name = reference.strip_prefix("#/components/schemas/").unwrap_or(&reference);
            assert!(json["components"]["schemas"].get(name).is_some(), "`{reference}` is nowhere");
        }
    }
}

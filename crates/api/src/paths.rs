//! Where everything is: the patterns of all addresses of the interface, `{…}` for what a request names. The server's table of routes and the
//! client are made of these, so that neither can say another address than the other.

macro_rules! paths {
    ($( $prefix:literal { $( $name:ident $rest:literal; )* } )*) => { $( $(
        #[doc = concat!("`", $prefix, $rest, "`")]
        pub const $name: &str = concat!($prefix, $rest);
    )* )* };
}

paths! {
    "" {
        LIVEZ "/livez";
        READYZ "/readyz";
        HEALTHZ "/healthz";
        HEALTH "/health";
        METRICS "/metrics";
        VERSION "/version";
        OPENAPI_JSON "/openapi.json";
        PROBLEM "/problems/{code}";
    }
    "/api/v1" {
        SESSION "/session";
        OIDC_BEGIN "/oidc/begin";
        OIDC_CALLBACK "/oidc/callback";
        LINK "/links/{token}";
        ME "/me";
        ME_PASSWORD "/me/password";
        ME_STEP_UP "/me/step-up";
        ME_SESSIONS "/me/sessions";
        ME_SESSION "/me/sessions/{id}";
        ME_TOKENS "/me/tokens";
        ME_TOKEN "/me/tokens/{id}";
        USERS "/users";
        USER "/users/{id}";
        USER_LINK "/users/{id}/link";
        USER_DISABLE "/users/{id}/disable";
        USER_ENABLE "/users/{id}/enable";
        USER_END_SESSIONS "/users/{id}/end-sessions";
        MEMBERS "/members";
        MEMBER "/members/{kind}/{who}";
        SERVICES "/services";
        SERVICE "/services/{id}";
        SERVICE_TOKENS "/services/{id}/tokens";
        SERVICE_TOKEN "/services/{id}/tokens/{tid}";
        PROJECTS "/projects";
        JOBS "/jobs";
        JOBS_FACETS "/jobs/facets";
        JOBS_ANCHORS "/jobs/anchors";
        OVERVIEW "/overview";
        SEARCH "/search";
        SUGGEST "/suggest";
        SCHEDULES_NEXT "/schedules/next";
        SCHEDULES_PREVIEW "/schedules/preview";
        UPCOMING "/upcoming";
        UPCOMING_LIST "/upcoming/list";
        FLEET_INSTANCES "/fleet/instances";
        FLEET_INSTANCE "/fleet/instances/{id}";
        FLEET_HOSTS "/fleet/hosts";
        STREAM "/stream";
        RUNS "/runs";
        RUN "/runs/{id}";
        BULK "/bulk";
        OPERATIONS "/operations";
        OPERATION "/operations/{id}";
        OPERATION_CANCEL "/operations/{id}/cancel";
        RULES "/rules";
        RULE "/rules/{id}";
        ALERTS "/alerts";
        ALERT "/alerts/{id}";
        ALERT_ACK "/alerts/{id}/ack";
        ALERT_UNACK "/alerts/{id}/unack";
        SILENCES "/silences";
        SILENCE "/silences/{id}";
        CHANNELS "/channels";
        CHANNEL "/channels/{id}";
        CHANNEL_TEST "/channels/{id}/test";
        DELIVERIES "/deliveries";
        DELIVERY_AGAIN "/deliveries/{id}/again";
        JOURNAL "/journal";
        JOURNAL_VERIFY "/journal/verify";
        SYSTEM "/system";
        SYSTEM_DOCTOR "/system/doctor";
        SYSTEM_CONFIG "/system/config";
    }
    "/api/v1/projects/{project}" {
        PROJECT "";
        PROJECT_MEMBERS "/members";
        PROJECT_MEMBER "/members/{kind}/{who}";
        PROJECT_JOBS "/jobs";
        PROJECT_EXPORT "/export";
        PROJECT_PLAN "/plan";
        PROJECT_APPLY "/apply";
        HOSTS "/hosts";
        PROJECT_RUNS "/runs";
        PROJECT_ATTEMPTS "/attempts";
        PROJECT_STATS "/stats";
        PROJECT_LOSSES "/losses";
        PROJECT_HOLDS "/holds";
        PROJECT_SYNC "/sync";
        PROJECT_SYNC_CONFIRM "/sync/confirm";
        DRIFTS "/drift";
        DRIFT "/drift/{id}";
        PROJECT_UNMANAGED "/unmanaged";
        PROJECT_UNMANAGED_ADOPT "/unmanaged/adopt";
        PROJECT_RULES "/rules";
        PROJECT_RULE "/rules/{id}";
        PROJECT_CHANNELS "/channels";
        PROJECT_CHANNEL "/channels/{id}";
        PROJECT_CHANNEL_TEST "/channels/{id}/test";
        PROJECT_JOURNAL "/journal";
    }
    "/api/v1/projects/{project}/hosts/{ip}" {
        HOST "";
        HOST_DISABLE "/disable";
        HOST_ENABLE "/enable";
        HOST_DRAIN "/drain";
        HOST_RESUME "/resume";
        HOST_SHUTDOWN "/shutdown";
    }
    "/api/v1/projects/{project}/jobs/{job}" {
        JOB "";
        JOB_VERSIONS "/versions";
        JOB_VERSION "/versions/{n}";
        JOB_VERSION_DIFF "/versions/{n}/diff/{m}";
        JOB_ROLLBACK "/rollback";
        JOB_YAML "/yaml";
        JOB_PREVIEW "/preview";
        JOB_DUMP "/dump";
        JOB_LIVE "/live";
        JOB_ITEMS "/items";
        JOB_INSTANCES "/instances";
        JOB_WHAT_IF "/what-if";
        JOB_RUNS "/runs";
        JOB_ATTEMPTS "/attempts";
        JOB_LEDGER "/ledger";
        JOB_FIRE "/fires/{at}";
        JOB_CHANGES "/changes";
        JOB_STATS "/stats";
        JOB_SYNC "/sync";
        JOB_SYNC_RESOLVE "/sync/resolve";
        JOB_TRIGGER "/trigger";
        JOB_OFFLINE "/offline";
        JOB_ONLINE "/online";
        JOB_PAUSE "/pause";
        JOB_RESUME "/resume";
        JOB_DRAIN "/drain";
        JOB_DISABLE "/disable";
        JOB_ENABLE "/enable";
        JOB_REBALANCE "/rebalance";
        JOB_SHUTDOWN "/shutdown";
        ITEM_DISABLE "/items/{i}/disable";
        ITEM_ENABLE "/items/{i}/enable";
        ITEM_RESUME "/items/{i}/resume";
    }
}

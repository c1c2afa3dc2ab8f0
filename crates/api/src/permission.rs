//! What people may do. A [`Role`] is held on one project or on all of them, and brings [`Permission`]s; the greatest role counts.
//!
//! The table below is the only place where that is said. The server asks it of every request, and the page of permissions is printed
//! from it.
//!
//! Each permission also is a type of its own in [`kinds`], so that a handler can demand in its signature what its caller must be
//! allowed: a handler of one permission cannot be put on a route of another, and a route that only reads cannot carry a permission
//! that changes something.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What somebody is on a project, or on all of them. Each brings all that the one before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Sees.
    Viewer,
    /// Stops, starts, triggers and acknowledges; may not change what a job is.
    Operator,
    /// Makes and changes jobs.
    Developer,
    /// Says who belongs to the project, and what its jobs may run.
    ProjectAdmin,
    /// Everything, everywhere. Held on all projects or not at all.
    Admin,
}

impl Role {
    /// All, the least first.
    pub const ALL: [Role; 5] =
        [Role::Viewer, Role::Operator, Role::Developer, Role::ProjectAdmin, Role::Admin];

    /// As it is written in requests and in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Developer => "developer",
            Role::ProjectAdmin => "projectAdmin",
            Role::Admin => "admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A permission whose type is known when a program is compiled.
pub trait Kind: Send + Sync + 'static {
    /// Which it is.
    const PERMISSION: Permission;
}

/// A permission to look: the only kind that a request by GET may need.
pub trait Looks: Kind {}

macro_rules! permissions {
    ($( $variant:ident $name:literal $least:ident $($looks:ident)?: $means:literal )*) => {
        /// What a request may need.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $( #[doc = $means] $variant, )*
        }

        impl Permission {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Permission] = &[ $( Permission::$variant, )* ];

            /// As it is written in scopes of tokens and in answers: `job.write`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Permission::$variant => $name, )* }
            }

            /// In words, what it lets somebody do.
            #[must_use]
            pub fn means(self) -> &'static str {
                match self { $( Permission::$variant => $means, )* }
            }

            /// The least role that brings it; `None` for what everybody who is signed in may do.
            #[must_use]
            pub fn least(self) -> Option<Role> {
                match self { $( Permission::$variant => permissions!(@least $least), )* }
            }

            /// True when it only lets somebody look.
            #[must_use]
            pub fn looks(self) -> bool {
                match self { $( Permission::$variant => permissions!(@looks $($looks)?), )* }
            }
        }

        /// Each permission as a type.
        pub mod kinds {
            use super::{Kind, Looks, Permission};
            $(
                #[doc = $means]
                #[derive(Debug, Clone, Copy)]
                pub struct $variant;
                impl Kind for $variant {
                    const PERMISSION: Permission = Permission::$variant;
                }
                permissions!(@impl $variant $($looks)?);
            )*
        }
    };
    (@least SignedIn) => { None };
    (@least $role:ident) => { Some(Role::$role) };
    (@looks looks) => { true };
    (@looks) => { false };
    (@impl $variant:ident looks) => { impl Looks for $variant {} };
    (@impl $variant:ident) => {};
}

permissions! {
    Own            "self"            SignedIn looks: "see one's own profile, sessions and tokens"
    OwnChange      "self.write"      SignedIn:       "change one's own profile and password, end one's own sessions"
    TokenOwn       "token.own"       SignedIn:       "make and end tokens of one's own"
    ProjectRead    "project.read"    Viewer looks:   "see a project"
    JobRead        "job.read"        Viewer looks:   "see jobs, their settings and what they do now"
    HistoryRead    "history.read"    Viewer looks:   "see runs, outcomes, ledgers and statistics"
    SyncRead       "sync.read"       Viewer looks:   "see how the registry agrees with the database"
    AlertRead      "alert.read"      Viewer looks:   "see rules, alerts and silences"
    DumpRead       "dump.read"       Viewer looks:   "see a job's nodes as they are, addresses masked"
    JobOperate     "job.operate"     Operator:       "trigger, pause, disable, drain and shut down"
    SyncRun        "sync.run"        Operator:       "compare with the registry now, and write what the database says"
    AlertAct       "alert.act"       Operator:       "acknowledge and silence alerts"
    AuditRead      "audit.read"      Operator looks: "read the journal of a project"
    JobWrite       "job.write"       Developer:      "make and change jobs"
    JobRemove      "job.remove"      Developer:      "remove jobs"
    SyncAdopt      "sync.adopt"      Developer:      "make what the registry says the truth"
    AlertWrite     "alert.write"     Developer:      "make and change rules of alerts"
    ProjectWrite   "project.write"   ProjectAdmin:   "change a project"
    ProjectMembers "project.members" ProjectAdmin:   "say who belongs to a project"
    MembersRead    "members.read"    Viewer looks:   "see who belongs to a project"
    ChannelWrite   "channel.write"   ProjectAdmin:   "say where alerts are sent"
    ChannelRead    "channel.read"    ProjectAdmin looks: "see where alerts are sent, and what became of messages"
    DumpUnmasked   "dump.unmasked"   ProjectAdmin looks: "see a job's nodes with their addresses"
    JobCode        "job.code"        ProjectAdmin:   "change what a job runs"
    ProjectCreate  "project.create"  Admin:          "make projects"
    AlertAll       "alert.all"       Admin:          "make and change rules and channels of all projects"
    UserRead       "user.read"       Admin looks:    "see people and who has a role on all projects"
    UserManage     "user.manage"     Admin:          "manage people"
    TokenRead      "token.read"      Admin looks:    "see service accounts and their tokens"
    TokenManage    "token.manage"    Admin:          "manage service accounts and their tokens"
    AuditAll       "audit.all"       Admin looks:    "read the whole journal"
    SystemWrite    "system.write"    Admin:          "say which registry elects the server that leads"
    SystemRead     "system.read"     Admin looks:    "see the servers, their configuration and their health"
    MetricsRead    "metrics.read"    Admin looks:    "read the metrics"
}

impl Permission {
    /// The permission of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }

    /// True when a role brings it. What somebody who is signed in may do needs none.
    #[must_use]
    pub fn comes_with(self, role: Option<Role>) -> bool {
        self.least().is_none_or(|least| role.is_some_and(|role| role >= least))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_brings_all_that_the_lesser_one_does() {
        for permission in Permission::ALL {
            let mut had = permission.comes_with(None);
            for role in Role::ALL {
                let has = permission.comes_with(Some(role));
                assert!(has || !had, "{role} lacks {permission}");
                had = has;
            }
            assert!(had, "an administrator lacks {permission}");
        }
    }

    #[test]
    fn an_operator_may_act_and_not_change_what_a_job_is() {
        let operator = Some(Role::Operator);
        for may in [Permission::JobOperate, Permission::SyncRun, Permission::AlertAct, Permission::AuditRead]
        {
            assert!(may.comes_with(operator), "{may}");
        }
        for not in [Permission::JobWrite, Permission::JobRemove, Permission::SyncAdopt, Permission::JobCode] {
            assert!(!not.comes_with(operator), "{not}");
        }
    }

    #[test]
    fn names_are_found_again() {
        for permission in Permission::ALL {
            assert_eq!(Permission::named(permission.name()), Some(*permission));
        }
        for role in Role::ALL {
            assert_eq!(Role::named(role.name()), Some(role));
            assert_eq!(serde_json::to_value(role).expect("a word"), role.name());
        }
    }
}

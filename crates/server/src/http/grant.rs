//! What a handler was granted. A handler names it in its signature, and only the frame can make one: so there is no handler that nobody
//! asked for a permission, and none that is on a route of another one.
//!
//! - [`Granted`]: the permission, on the project that the address names, or everywhere where it names none.
//! - [`Asking`]: somebody who is signed in; the handler asks of each row before it shows or changes it.
//! - [`Anyone`]: nobody was asked who they are.

use crate::app::App;
use crate::decide::chain::{Actor, ActorKind, Via};
use crate::decide::permit::{self, Answer, Place, Principal};
use crate::http::ask::Ask;
use crate::http::refusal::Answered;
use crate::identity::Door;
use crate::observe::trace::TARGET;
use crate::store::ProjectRow;
use clockwright_api::permission::Kind;
use clockwright_api::{Code, Permission, Problem};
use std::marker::PhantomData;
use std::sync::Arc;
use tracing::trace_span;

/// What a handler's first argument can be.
pub trait Grant: Sized + Send {
    /// The permission that it proves.
    type Kind: Kind;
    /// True where it is asked of each row, by the handler.
    const ASKS: bool = false;
    /// Grants it, or says why not.
    ///
    /// # Errors
    /// A problem of 401, 403 or 404.
    fn make(ask: &Ask) -> Answered<Self>;
    /// The permission, for the table of routes; `None` for what needs none.
    fn needs() -> Option<Permission> {
        Some(Self::Kind::PERMISSION)
    }
}

/// Somebody may do this here.
#[derive(Debug)]
pub struct Granted<K> {
    ask: Asker,
    project: Option<Arc<ProjectRow>>,
    kind: PhantomData<K>,
}

/// Somebody is signed in; whether they may is asked of each row.
#[derive(Debug)]
pub struct Asking<K> {
    ask: Asker,
    kind: PhantomData<K>,
}

/// Whoever it is.
#[derive(Debug)]
pub struct Anyone {
    /// Nobody, as the journal knows them.
    pub actor: Actor,
    /// They are signed in all the same.
    pub is_known: bool,
}

/// The permission of a route that needs none. It is in no role's list.
#[derive(Debug)]
pub struct Open;

impl Kind for Open {
    const PERMISSION: Permission = Permission::Own;
}
impl clockwright_api::permission::Looks for Open {}

/// Who asks, and by which key.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Who they are, and what they hold.
    pub principal: Arc<Principal>,
    /// The same, as the journal knows them.
    pub actor: Actor,
    /// The idempotency key of the request, with the route and the digest of the body.
    pub key: Option<Key>,
    /// When they last proved who they are, if they came by a session.
    pub proved_at: Option<i64>,
    /// The trace that the request belongs to.
    pub trace: Option<String>,
}

/// What makes a request the same one when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The header's text.
    pub text: String,
    /// The method and the pattern of the address.
    pub route: String,
    /// The digest of address and body.
    pub body: String,
}

impl<K: Kind> Grant for Granted<K> {
    type Kind = K;

    fn make(ask: &Ask) -> Answered<Self> {
        let asker = ask.asker()?;
        let project = match ask.path("project") {
            None => None,
            Some(name) => Some(
                ask.app.catalogue.project(name).ok_or_else(|| hidden(&ask.app, &asker.principal, name))?,
            ),
        };
        let place = project.as_ref().map_or(Place::Everywhere, |project| Place::Project(project.id));
        let name = project.as_ref().map_or("", |project| project.name.as_str());
        allow::<K>(&ask.app, &asker.principal, place, name)?;
        Ok(Self { ask: asker, project, kind: PhantomData })
    }
}

impl<K: Kind> Granted<K> {
    /// The project that the address names. Routes of this permission that name none have none.
    ///
    /// # Errors
    /// A route that was put into the table with an address that names no project.
    pub fn project(&self) -> Answered<&Arc<ProjectRow>> {
        let missing = || Problem::new(Code::Internal, "the route names no project");
        Ok(self.project.as_ref().ok_or_else(missing)?)
    }

    /// The id of that project; 0 where the address names none: for what all projects have.
    #[must_use]
    pub fn project_or_all(&self) -> i64 {
        self.project.as_ref().map_or(0, |project| project.id)
    }

    /// Who it is.
    #[must_use]
    pub fn asker(&self) -> &Asker {
        &self.ask
    }

    /// May they do something else here as well?
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        let place = self.project.as_ref().map_or(Place::Everywhere, |project| Place::Project(project.id));
        permit::permit(&self.ask.principal, permission, place) == Answer::Allowed
    }

    /// What follows concerns more than the project: they may do this everywhere too, or it is refused.
    ///
    /// # Errors
    /// A problem of 403.
    pub fn everywhere<Other: Kind>(&self, app: &App) -> Answered<()> {
        allow::<Other>(app, &self.ask.principal, Place::Everywhere, "")
    }
}

impl<K: Kind> Grant for Asking<K> {
    type Kind = K;
    const ASKS: bool = true;

    fn make(ask: &Ask) -> Answered<Self> {
        Ok(Self { ask: ask.asker()?, kind: PhantomData })
    }
}

impl<K: Kind> Asking<K> {
    /// Who it is.
    #[must_use]
    pub fn asker(&self) -> &Asker {
        &self.ask
    }

    /// May they, on this project? 0 for what belongs to none.
    #[must_use]
    pub fn may(&self, project: i64) -> bool {
        permit::permit(&self.ask.principal, K::PERMISSION, place(project)) == Answer::Allowed
    }

    /// The projects on which they may.
    #[must_use]
    pub fn projects(&self, app: &App) -> Vec<Arc<ProjectRow>> {
        app.catalogue.projects().into_iter().filter(|project| self.may(project.id)).collect()
    }

    /// They may on this project, or it is refused. 0 for what belongs to none.
    ///
    /// # Errors
    /// A problem of 403 or 404; `what` is named in it.
    pub fn on(self, app: &App, project: i64, what: &str) -> Answered<Granted<K>> {
        let row = app.catalogue.project_of(project);
        if project != 0 && row.is_none() {
            return Err(Problem::new(Code::NotFound, format!("there is no {what}")).into());
        }
        allow::<K>(app, &self.ask.principal, place(project), what)?;
        Ok(Granted { ask: self.ask, project: row, kind: PhantomData })
    }

    /// They may on the project of this name, or it is refused.
    ///
    /// # Errors
    /// A problem of 403 or 404.
    pub fn on_project(self, app: &App, name: &str) -> Answered<Granted<K>> {
        // No project has that id.
        let id = app.catalogue.project(name).map_or(-1, |row| row.id);
        self.on(app, id, &format!("project `{name}`"))
    }
}

impl Grant for Anyone {
    type Kind = Open;

    fn make(ask: &Ask) -> Answered<Self> {
        let actor = Actor {
            kind: ActorKind::Nobody,
            id: String::new(),
            name: String::new(),
            via: Via::Itself,
            ip: ask.ip.to_string(),
            request: ask.id.clone(),
        };
        Ok(Self { actor, is_known: matches!(ask.door, Door::In(_)) })
    }

    fn needs() -> Option<Permission> {
        None
    }
}

fn place(project: i64) -> Place {
    if project == 0 { Place::Everywhere } else { Place::Project(project) }
}

fn allow<K: Kind>(app: &App, principal: &Principal, place: Place, name: &str) -> Answered<()> {
    let span = trace_span!(target: TARGET, "permit", permission = K::PERMISSION.name());
    match span.in_scope(|| permit::permit(principal, K::PERMISSION, place)) {
        Answer::Allowed => Ok(()),
        Answer::Hidden => Err(hidden(app, principal, name).into()),
        Answer::Denied(role) => {
            let needs = K::PERMISSION.name();
            let detail = match place {
                Place::Project(_) => format!("`{needs}` is needed on the project `{name}`"),
                Place::Everywhere => format!("`{needs}` is needed"),
            };
            let mut problem = Problem::new(Code::NotAllowed, detail).with("permission", needs);
            if let Some(role) = role {
                problem = problem.with("role", role).fix(format!("ask somebody who has the role {role}"));
            }
            if principal.scope.is_some() {
                problem = problem.fix("use a token with that scope, or ask somebody who has the role");
            }
            Err(problem.into())
        }
    }
}

/// There is no such project, or they may not know of it: both read the same.
fn hidden(app: &App, principal: &Principal, name: &str) -> Problem {
    let sees = |project: &ProjectRow| {
        permit::permit(principal, Permission::ProjectRead, Place::Project(project.id)) == Answer::Allowed
    };
    let names: Vec<String> = app
        .catalogue
        .projects()
        .into_iter()
        .filter(|project| sees(project))
        .map(|project| project.name.clone())
        .collect();
    Problem::new(Code::NotFound, format!("there is no project `{name}`, or you may not see it"))
        .near(name, names.iter().map(String::as_str))
}

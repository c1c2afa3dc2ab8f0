//! Projects and who belongs to them.

use super::{Answered, Client};
use crate::projects::{Detach, GiveRole, Member, NewProject, Project as Shown, ProjectChange};
use crate::{Etag, List, Role, paths};
use reqwest::Method;

/// A project by its name, and everything in it.
#[derive(Debug, Clone, Copy)]
pub struct Project<'a> {
    pub(super) client: &'a Client,
    pub(super) name: &'a str,
}

impl Client {
    /// The project of this name. Nothing is asked yet.
    #[must_use]
    pub fn project<'a>(&'a self, name: &'a str) -> Project<'a> {
        Project { client: self, name }
    }

    /// The projects that one may see.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn projects(&self) -> Answered<List<Shown>> {
        self.get(paths::PROJECTS, &[]).json().await
    }

    /// Makes a project.
    ///
    /// # Errors
    /// `name-taken`, `namespace-taken`, `invalid`.
    pub async fn make_project(&self, new: &NewProject) -> Answered<Shown> {
        self.post(paths::PROJECTS, &[]).body(new).json().await
    }
}

impl Project<'_> {
    /// What it is, and how its registry is followed.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn show(&self) -> Answered<Shown> {
        self.client.get(paths::PROJECT, &[self.name]).json().await
    }

    /// Changes it.
    ///
    /// # Errors
    /// `not-found`, `invalid`, `version-conflict`.
    pub async fn change(&self, version: Etag, change: &ProjectChange) -> Answered<Shown> {
        self.client.call(Method::PATCH, paths::PROJECT, &[self.name]).at(version).body(change).json().await
    }

    /// Ends it; its registry stays as it is. With `detach` also where it has jobs, which stay there.
    ///
    /// # Errors
    /// `not-found`, `project-in-use`, `version-conflict`.
    pub async fn remove(&self, version: Etag, detach: bool) -> Answered<()> {
        self.client.delete(paths::PROJECT, &[self.name]).query(&Detach { detach }).at(version).done().await
    }

    /// Who belongs to it.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn members(&self) -> Answered<List<Member>> {
        self.client.get(paths::PROJECT_MEMBERS, &[self.name]).json().await
    }

    /// Gives a `user` or a `group` a role on it.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn set_member(&self, kind: &str, who: &str, role: Role) -> Answered<Member> {
        let names = [self.name, kind, who];
        self.client.call(Method::PUT, paths::PROJECT_MEMBER, &names).body(&GiveRole { role }).json().await
    }

    /// Takes a role away.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn drop_member(&self, kind: &str, who: &str) -> Answered<()> {
        self.client.delete(paths::PROJECT_MEMBER, &[self.name, kind, who]).done().await
    }
}

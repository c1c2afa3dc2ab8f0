//! May they? Asked of the project of the object that was *loaded*, never of what a request says.

use clockwright_api::{Permission, Role};
use std::collections::BTreeMap;

/// Somebody who came in, and what they hold at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// Their id; empty for nobody.
    pub id: String,
    /// What they sign in with, or the name of a service account.
    pub name: String,
    /// The greatest role they hold on all projects, by themselves or by their groups.
    pub everywhere: Option<Role>,
    /// The greatest role they hold on each project.
    pub projects: BTreeMap<i64, Role>,
    /// What a token narrows them to; `None` for a session.
    pub scope: Option<Scope>,
}

/// What a token may be used for: the intersection with its owner's rights of that moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Only these permissions.
    pub permissions: Vec<Permission>,
    /// Only these projects; empty for all that its owner may see.
    pub projects: Vec<i64>,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// They may.
    Allowed,
    /// They may not even know that it is there: as if it were not.
    Hidden,
    /// They may see it and not do this; this role could.
    Denied(Option<Role>),
}

/// Where a permission is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On a project, or on something that belongs to it.
    Project(i64),
    /// On what belongs to no project.
    Everywhere,
}

/// May this principal do this there?
#[must_use]
pub fn permit(principal: &Principal, permission: Permission, place: Place) -> Answer {
    let role = principal.role(place);
    let in_scope = |permission| principal.scope.as_ref().is_none_or(|scope| scope.holds(permission, place));
    if permission.comes_with(role) && in_scope(permission) {
        return Answer::Allowed;
    }
    let sees = Permission::ProjectRead.comes_with(role) && in_scope(Permission::ProjectRead);
    match place {
        Place::Project(_) if !sees => Answer::Hidden,
        _ => Answer::Denied(permission.least()),
    }
}

impl Principal {
    /// The role that counts there.
    #[must_use]
    pub fn role(&self, place: Place) -> Option<Role> {
        match place {
            Place::Project(project) => self.everywhere.max(self.projects.get(&project).copied()),
            Place::Everywhere => self.everywhere,
        }
    }
}

impl Scope {
    fn holds(&self, permission: Permission, place: Place) -> bool {
        let here = match place {
            Place::Project(project) => self.projects.is_empty() || self.projects.contains(&project),
            // What belongs to no project is not for a token of some projects.
            Place::Everywhere => self.projects.is_empty() || permission.least().is_none(),
        };
        here && self.permissions.contains(&permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn developer_of(project: i64) -> Principal {
        Principal { id: "u".into(), projects: [(project, Role::Developer)].into(), ..Principal::default() }
    }

    #[test]
    fn a_project_of_others_is_hidden_and_not_forbidden() {
        let me = developer_of(1);
        assert_eq!(permit(&me, Permission::JobWrite, Place::Project(1)), Answer::Allowed);
        assert_eq!(permit(&me, Permission::JobWrite, Place::Project(2)), Answer::Hidden);
        assert_eq!(permit(&me, Permission::JobRead, Place::Project(2)), Answer::Hidden);
    }

    #[test]
    fn who_may_see_and_not_do_learns_which_role_could() {
        let me = developer_of(1);
        let denied = permit(&me, Permission::ProjectMembers, Place::Project(1));
        assert_eq!(denied, Answer::Denied(Some(Role::ProjectAdmin)));
        assert_eq!(permit(&me, Permission::UserManage, Place::Everywhere), Answer::Denied(Some(Role::Admin)));
    }

    #[test]
    fn the_greatest_of_the_roles_counts() {
        let mut me = developer_of(1);
        me.everywhere = Some(Role::Viewer);
        assert_eq!(permit(&me, Permission::JobWrite, Place::Project(1)), Answer::Allowed);
        assert_eq!(permit(&me, Permission::JobRead, Place::Project(2)), Answer::Allowed);
        assert_eq!(
            permit(&me, Permission::JobWrite, Place::Project(2)),
            Answer::Denied(Some(Role::Developer))
        );
    }

    #[test]
    fn a_token_never_gives_more_than_its_owner_has_nor_more_than_it_says() {
        let mut me = developer_of(1);
        me.scope = Some(Scope {
            permissions: vec![Permission::ProjectRead, Permission::JobRead, Permission::UserManage],
            projects: vec![1],
        });
        assert_eq!(permit(&me, Permission::JobRead, Place::Project(1)), Answer::Allowed);
        assert_eq!(
            permit(&me, Permission::JobWrite, Place::Project(1)),
            Answer::Denied(Some(Role::Developer))
        );
        assert_eq!(permit(&me, Permission::UserManage, Place::Everywhere), Answer::Denied(Some(Role::Admin)));
        me.projects.insert(2, Role::Developer);
        assert_eq!(permit(&me, Permission::JobRead, Place::Project(2)), Answer::Hidden);
    }

    #[test]
    fn nobody_may_do_what_those_who_are_signed_in_may() {
        // Who is nobody is turned away before this is asked; a person without any role may look at their own profile.
        let me = Principal { id: "u".into(), ..Principal::default() };
        assert_eq!(permit(&me, Permission::Own, Place::Everywhere), Answer::Allowed);
        assert_eq!(permit(&me, Permission::SystemRead, Place::Everywhere), Answer::Denied(Some(Role::Admin)));
    }
}

//! What operators do: with a job, with a host, with many jobs; how far that is, and what stands still by it.
//!
//! The answer of an operation is how far it is: what takes long has the state `running`, and is asked again by [`Client::operation`]. A client that is
//! [`waiting`](Client::waiting) gets the end with the first answer where that comes in time.

use super::{Answered, Client, Job, Project};
use crate::operations::{
    Bulk, Drain, DrainHost, HoldView, Operate, OperateHost, Operation, Removal, ResumeItem, Shutdown,
};
use crate::page::Paging;
use crate::text::Reason;
use crate::{List, Page, paths};
use serde::Serialize;

impl Client {
    /// A page of operations, the newest first.
    ///
    /// # Errors
    /// `bad-cursor`.
    pub async fn operations(&self, ask: &Paging) -> Answered<Page<Operation>> {
        self.get(paths::OPERATIONS, &[]).query(ask).json().await
    }

    /// How far an operation is.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn operation(&self, id: &str) -> Answered<Operation> {
        self.get(paths::OPERATION, &[id]).json().await
    }

    /// Asks for an operation's end before the time; what was done by then stays.
    ///
    /// # Errors
    /// `not-found`, `not-allowed`.
    pub async fn cancel(&self, id: &str) -> Answered<Operation> {
        self.post(paths::OPERATION_CANCEL, &[id]).json().await
    }

    /// Does one thing with many jobs.
    ///
    /// # Errors
    /// `bad-filter`, `selection-changed`, `invalid`.
    pub async fn bulk(&self, ask: &Bulk) -> Answered<Operation> {
        self.post(paths::BULK, &[]).waits().body(ask).json().await
    }
}

impl<'a> Project<'a> {
    /// What stands still in it by somebody's wish.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn holds(&self) -> Answered<List<HoldView>> {
        self.client.get(paths::PROJECT_HOLDS, &[self.name]).json().await
    }

    /// What operators do with a host in all of its jobs.
    #[must_use]
    pub fn operate(&self, ip: &'a str) -> OperateHosts<'a> {
        OperateHosts { client: self.client, names: [self.name, ip] }
    }
}

impl<'a> Job<'a> {
    /// What operators do with it.
    #[must_use]
    pub fn operate(&self) -> OperateJob<'a> {
        OperateJob { client: self.client, names: self.names }
    }

    /// Removes it from the registry; its versions and its history stay.
    ///
    /// # Errors
    /// `invalid`: mode or reason is missing; `items-running`, `still-served`, `managed-by-files`, `registry-away`.
    pub async fn remove(&self, how: &Removal) -> Answered<Operation> {
        self.client.delete(paths::JOB, &self.names).query(how).waits().json().await
    }
}

/// See [`Job::operate`].
#[derive(Debug, Clone, Copy)]
pub struct OperateJob<'a> {
    client: &'a Client,
    names: [&'a str; 2],
}

/// See [`Project::operate`].
#[derive(Debug, Clone, Copy)]
pub struct OperateHosts<'a> {
    client: &'a Client,
    names: [&'a str; 2],
}

macro_rules! operations {
    ($( $(#[$doc:meta])* $name:ident($ask:ty) $path:ident; )*) => { $(
        $(#[$doc])*
        ///
        /// # Errors
        /// `not-found`, `job-removing`, `registry-away`, and those of the operation.
        pub async fn $name(&self, ask: &$ask) -> Answered<Operation> {
            self.ask(paths::$path, &self.names, ask).await
        }
    )* };
}

impl OperateJob<'_> {
    operations! {
        /// Lets it fire now.
        trigger(Operate) JOB_TRIGGER;
        /// Puts it offline: it runs nowhere until it is online.
        offline(Operate) JOB_OFFLINE;
        /// Puts it online.
        online(Operate) JOB_ONLINE;
        /// Pauses it: nothing of it begins.
        pause(Operate) JOB_PAUSE;
        /// Ends its pause and its drain, or the drain of one of its hosts.
        resume(OperateHost) JOB_RESUME;
        /// Drains it, or one of its hosts: what runs ends, nothing begins.
        drain(Drain) JOB_DRAIN;
        /// Disables it, or keeps it off a host.
        disable(OperateHost) JOB_DISABLE;
        /// Enables it, or lets it on a host again.
        enable(OperateHost) JOB_ENABLE;
        /// Shares its items out anew.
        rebalance(Operate) JOB_REBALANCE;
        /// Lets instances give it up; their processes go on.
        shutdown(Shutdown) JOB_SHUTDOWN;
    }

    /// Leaves an item out.
    ///
    /// # Errors
    /// `no-such-item`, `registry-away`.
    pub async fn disable_item(&self, item: u32, ask: &Operate) -> Answered<Operation> {
        let [project, job] = self.names;
        self.ask(paths::ITEM_DISABLE, &[project, job, &item.to_string()], ask).await
    }

    /// Takes an item in again.
    ///
    /// # Errors
    /// `no-such-item`, `registry-away`.
    pub async fn enable_item(&self, item: u32, ask: &Operate) -> Answered<Operation> {
        let [project, job] = self.names;
        self.ask(paths::ITEM_ENABLE, &[project, job, &item.to_string()], ask).await
    }

    /// Says from where a held item goes on. One that is not held stays as it is.
    ///
    /// # Errors
    /// `no-such-item`, `invalid`, `registry-away`.
    pub async fn resume_item(&self, item: u32, ask: &ResumeItem) -> Answered<Operation> {
        let [project, job] = self.names;
        self.ask(paths::ITEM_RESUME, &[project, job, &item.to_string()], ask).await
    }

    async fn ask(&self, path: &str, names: &[&str], ask: &impl Serialize) -> Answered<Operation> {
        self.client.post(path, names).waits().body(ask).json().await
    }
}

impl OperateHosts<'_> {
    operations! {
        /// Disables it in all jobs.
        disable(Operate) HOST_DISABLE;
        /// Enables it in all jobs.
        enable(Operate) HOST_ENABLE;
        /// Drains it: what runs there ends, nothing begins.
        drain(DrainHost) HOST_DRAIN;
        /// Ends its drain.
        resume(Operate) HOST_RESUME;
        /// Lets the instances on it give all jobs up.
        shutdown(Operate) HOST_SHUTDOWN;
    }

    async fn ask(&self, path: &str, names: &[&str], ask: &impl Serialize) -> Answered<Operation> {
        self.client.post(path, names).waits().body(ask).json().await
    }
}

impl Operate {
    /// What is done for this reason.
    #[must_use]
    pub fn because(reason: Reason) -> Self {
        Self { reason: Some(reason), dry_run: false }
    }
}

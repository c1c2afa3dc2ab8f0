//! One thing that operators hold, as it shall be: for whoever knows what all of them want together, and puts right what is not so.

use super::write::{Want, Written};
use super::{Admin, AdminError, Done};
use crate::keys::Key;
use crate::pause::PauseNote;
use clockwright_model::{Item, JobName};

/// A node by which operators hold something, and what it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// The job is paused, with this note; `None`: it is not.
    Paused(Option<PauseNote>),
    /// The job is kept off a host, or not.
    Host {
        /// Its address.
        ip: String,
        /// It is kept off.
        disabled: bool,
    },
    /// The job's instances on a host begin nothing, or they do.
    Drained {
        /// Its address.
        ip: String,
        /// They begin nothing.
        drained: bool,
    },
    /// An item is left out, or not.
    Item {
        /// Its number.
        item: Item,
        /// It is left out.
        disabled: bool,
    },
}

impl Hold {
    /// The node that says so.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Hold::Paused(_) => Key::Paused,
            Hold::Host { ip, .. } => Key::Server(ip.clone()),
            Hold::Drained { ip, .. } => Key::SmoothStop(ip.clone()),
            Hold::Item { item, .. } => Key::Disabled(*item),
        }
    }

    /// Whether it stops something.
    #[must_use]
    pub fn stops(&self) -> bool {
        match self {
            Hold::Paused(note) => note.is_some(),
            Hold::Host { disabled: on, .. }
            | Hold::Drained { drained: on, .. }
            | Hold::Item { disabled: on, .. } => *on,
        }
    }
}

impl Admin<'_> {
    /// Makes one thing that is held as it shall be. A host that the job does not know (any more) is made to keep the job off it, and else left
    /// alone.
    ///
    /// # Errors
    /// The registry did not answer, or others keep changing the node.
    pub async fn hold(&self, job: &JobName, hold: &Hold) -> Result<Done, AdminError> {
        let mut done = Done::default();
        done.count(match hold {
            Hold::Paused(Some(note)) => {
                let data = serde_json::to_vec(note).expect("a note has only texts and numbers");
                self.change(job, &Key::Paused, Want::Is(&data)).await?
            }
            Hold::Host { ip, disabled } => match self.keep_off(job, ip.clone(), *disabled).await? {
                Written::Gone if *disabled => {
                    self.make(&self.keys.of(job, &Key::Servers)).await?;
                    let data = self.layout(job).await?.server(true).as_bytes();
                    self.change(job, &hold.key(), Want::Is(data)).await?
                }
                written => written,
            },
            Hold::Drained { ip, drained: true } => {
                let host = self.keys.of(job, &Key::Server(ip.clone()));
                match self.read(&host).await? {
                    Some(_) => self.change(job, &hold.key(), Want::There(b"")).await?,
                    None => Written::Gone,
                }
            }
            Hold::Item { item, disabled: true } => {
                self.make(&self.keys.of(job, &Key::Items)).await?;
                self.make(&self.keys.of(job, &Key::Item(*item))).await?;
                self.change(job, &Key::Disabled(*item), Want::There(b"")).await?
            }
            lifted => self.change(job, &lifted.key(), Want::Absent).await?,
        });
        Ok(done)
    }

    /// Asks the job's leader for a new plan. A Java leader makes it at its next fire.
    ///
    /// # Errors
    /// The registry did not answer.
    pub async fn rebalance(&self, job: &JobName) -> Result<Done, AdminError> {
        for parent in [Key::Leader, Key::Sharding] {
            self.make(&self.keys.of(job, &parent)).await?;
        }
        let mut done = Done::default();
        done.count(self.change(job, &Key::Necessary, Want::There(b"")).await?);
        Ok(done)
    }
}

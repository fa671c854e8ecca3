//! The time and the actor of a change.

use std::borrow::Cow;

use genkan_protocol::Timestamp;

use crate::id::{Generator, Id};
use crate::{ClientId, DirectoryId, UserId};

/// The actor of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor<'a> {
    /// A client, by the management API.
    Client(&'a ClientId),
    /// The command line beside the server.
    Cli,
    /// A person who runs the instance.
    Operator(&'a UserId),
    /// An administrator of an organization.
    Administrator(&'a UserId),
    /// A person who acts for themselves, at a page. The event names them as its user.
    Person,
    /// A directory that reports about its people.
    Directory(&'a DirectoryId),
    /// Genkan itself.
    Job,
}

impl Actor<'_> {
    /// The actor as events and proofs of a domain store it. Clients and directories are recognised by the
    /// prefix of their identifiers. For a person and for Genkan itself nothing is stored.
    pub fn word(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Client(id) => Some(id.as_str().into()),
            Self::Directory(id) => Some(id.as_str().into()),
            Self::Cli => Some("cli".into()),
            Self::Operator(id) => Some(format!("operator:{id}").into()),
            Self::Administrator(id) => Some(format!("administrator:{id}").into()),
            Self::Person | Self::Job => None,
        }
    }
}

/// The time of a change, its actor, and the generator of new identifiers.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    pub ids: &'a Generator,
    pub now: Timestamp,
    pub actor: Actor<'a>,
}

impl<'a> Stamp<'a> {
    /// For a change that a person makes at a page. For other actors, add [`Self::by`].
    pub const fn new(ids: &'a Generator, now: Timestamp) -> Self {
        Self {
            ids,
            now,
            actor: Actor::Person,
        }
    }

    /// The same moment, with this actor.
    #[must_use]
    pub const fn by(mut self, actor: Actor<'a>) -> Self {
        self.actor = actor;
        self
    }

    /// The next identifier of kind `I`.
    pub fn id<I: Id>(&self) -> I {
        self.ids.next(self.now)
    }

    /// A time for `updated_at` that differs from the last one, even if the clock stands still or steps
    /// back. It distinguishes two versions of a row.
    pub(crate) fn after(&self, last: Timestamp) -> Timestamp {
        self.now.max(last + std::time::Duration::from_micros(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_actor_has_the_word_that_is_kept() {
        let (client, user) = (ClientId::parse("skc_1").unwrap(), UserId::parse("usr_1").unwrap());
        let directory = DirectoryId::parse("dir_1").unwrap();
        for (actor, word) in [
            (Actor::Client(&client), Some("skc_1")),
            (Actor::Cli, Some("cli")),
            (Actor::Operator(&user), Some("operator:usr_1")),
            (Actor::Administrator(&user), Some("administrator:usr_1")),
            (Actor::Person, None),
            (Actor::Directory(&directory), Some("dir_1")),
            (Actor::Job, None),
        ] {
            assert_eq!(actor.word().as_deref(), word);
        }
    }
}

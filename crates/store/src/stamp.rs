//! When a change happens, and who makes it.

use std::borrow::Cow;

use genkan_protocol::Timestamp;

use crate::id::{Generator, Id};
use crate::{ClientId, DirectoryId, UserId};

/// Who makes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor<'a> {
    /// A client, by the management API.
    Client(&'a ClientId),
    /// The command line beside the server.
    Cli,
    /// One of the people who run the instance.
    Operator(&'a UserId),
    /// One of the people who look after an organization.
    Administrator(&'a UserId),
    /// Somebody for themselves, at a page: the event names them as its user.
    Person,
    /// A directory that tells of its people.
    Directory(&'a DirectoryId),
    /// Genkan by itself.
    Job,
}

impl Actor<'_> {
    /// As events and proofs of a domain keep it. Clients and directories are known by
    /// the prefix of their identifiers; of a person and of Genkan itself nothing is kept.
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

/// When a change happens, and where the identifiers of what it creates come from.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    pub ids: &'a Generator,
    pub now: Timestamp,
    pub actor: Actor<'a>,
}

impl<'a> Stamp<'a> {
    /// Of what a person does at a page; [`Self::by`] says who else acts.
    pub const fn new(ids: &'a Generator, now: Timestamp) -> Self {
        Self {
            ids,
            now,
            actor: Actor::Person,
        }
    }

    /// The same moment, with who acts.
    #[must_use]
    pub const fn by(mut self, actor: Actor<'a>) -> Self {
        self.actor = actor;
        self
    }

    /// The next identifier of kind `I`.
    pub fn id<I: Id>(&self) -> I {
        self.ids.next(self.now)
    }

    /// A moment for `updated_at` that differs from the last one, though the
    /// clock may stand still or step back: it tells two versions of a row apart.
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

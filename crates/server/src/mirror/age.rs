//! How old a mirror is, proved.
//!
//! A connected session proves nothing: its server may lag behind, its network may swallow, and the last hint may have been the last change
//! or the last one that came through. What proves something is an answer to a commit. The registry's ninth law says that the hints of all
//! transactions before a commit are there when the commit is answered. So:
//!
//! 1. At *s* a commit is sent that changes nothing: it only checks the namespace's root. To the registry it is a transaction like any other, and
//!    it needs no node and no right to write; whether the check holds does not matter, only that it is answered.
//! 2. When it is answered, every change before *s* has come as a hint, and stands in the set of what is to be read, or was read before.
//! 3. When all of that is read, the mirror shows everything up to *s*: that is its age. What came later may be in it as well, or not yet.
//!
//! | what fails | the age |
//! |---|---|
//! | the answer does not come: registry away, session about to end | grows |
//! | hints do not come | cannot be: then the answer does not come either |
//! | reads are not answered | grows, although answers to commits come |
//! | the process was frozen | is as old as it was when it thaws, until the next proof |
//! | the clock of this machine is set back | never goes back: an older proof changes nothing |
//!
//! A reading of everything proves the same: it begins with an answered commit, and what a session reads after its own commit is no older.

use clockwright_model::Millis;

/// The age of a mirror in the making.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Age {
    as_of: Option<Millis>,
    /// Batches of reads that were begun, and that were answered.
    begun: u64,
    answered: u64,
    /// Answered commits, each with when it was sent and the batch after whose answer it counts.
    waiting: Vec<(Millis, u64)>,
}

impl Age {
    /// Up to when all changes are seen; `None` before everything was read once.
    #[must_use]
    pub fn as_of(&self) -> Option<Millis> {
        self.as_of
    }

    /// A batch of reads begins: it has all that was to be read.
    pub fn read_begins(&mut self) {
        self.begun += 1;
    }

    /// The batch that is under way is answered and taken in.
    pub fn read_ends(&mut self) {
        self.answered += 1;
        let answered = self.answered;
        let proved = self.waiting.iter().filter(|(_, batch)| *batch <= answered).map(|(sent, _)| *sent).max();
        self.waiting.retain(|(_, batch)| *batch > answered);
        self.proved(proved);
    }

    /// A commit that was sent then is answered; whether something is still to be read that no batch has taken.
    pub fn acknowledged(&mut self, sent: Millis, rest: bool) {
        let needs = self.begun + u64::from(rest);
        if needs <= self.answered {
            self.proved(Some(sent));
        } else {
            self.waiting.push((sent, needs));
        }
    }

    /// Everything was read, after a commit that was sent then.
    pub fn read_whole(&mut self, sent: Millis) {
        self.proved(Some(sent));
    }

    /// What is read is not what is believed any more: no proof that is under way counts, until everything is read.
    pub fn doubt(&mut self) {
        self.waiting.clear();
    }

    fn proved(&mut self, sent: Option<Millis>) {
        self.as_of = self.as_of.max(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_at_once_when_nothing_is_to_be_read() {
        let mut age = Age::default();
        age.read_whole(10);
        age.acknowledged(20, false);
        assert_eq!(age.as_of(), Some(20));
    }

    #[test]
    fn an_answer_counts_only_when_all_that_was_hinted_before_it_is_read() {
        let mut age = Age::default();
        age.read_whole(10);
        age.read_begins();
        age.acknowledged(20, true);
        age.read_ends();
        assert_eq!(
            age.as_of(),
            Some(10),
            "the batch that was under way has not what was hinted after it began"
        );
        age.read_begins();
        age.read_ends();
        assert_eq!(age.as_of(), Some(20));
    }

    #[test]
    fn a_mirror_whose_reads_are_not_answered_grows_old_although_commits_are() {
        let mut age = Age::default();
        age.read_whole(10);
        age.read_begins();
        for sent in 20..30 {
            age.acknowledged(sent, false);
        }
        assert_eq!(age.as_of(), Some(10));
        age.read_ends();
        assert_eq!(age.as_of(), Some(29));
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_older_than_it_was_proved_to_be() {
        let mut age = Age::default();
        age.read_whole(100);
        age.acknowledged(50, false);
        assert_eq!(age.as_of(), Some(100));
    }
}

//! Saying from where a held item goes on; see [`crate::held`].

use super::write::Sent;
use super::{ATTEMPTS, Admin, AdminError, Done, now};
use crate::cursor::Cursor;
use crate::held::{Held, Resume};
use crate::keys::Key;
use crate::mirror::{CursorNode, Mirror};
use crate::view;
use clockwright_model::{Item, Millis};
use clockwright_registry::Op;

/// From where a held item goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// After now: what was due meanwhile is skipped.
    Now,
    /// After this instant, epoch milliseconds: what was due before, since the last one that is known, is skipped. One that is before the
    /// last one that is known repeats what came since.
    Instant(Millis),
    /// After the last instant that is known: what was due meanwhile is late, and the job's misfire policy decides.
    Last,
}

impl Admin<'_> {
    /// Says from where a held item goes on. Its owner does so within seconds; what was due before is on record as skipped, for the reason
    /// why the item was held. With `if_version`, only if its cursor is the one that a picture showed
    /// ([`HeldView::version`](view::HeldView::version)). `unchanged` is 1 when the same was said before.
    ///
    /// # Errors
    /// There is no such job or item, the item is not held or has changed, it is to go on from the last known instant and there is none, or
    /// the registry did not answer.
    pub async fn resume_item(
        &self,
        job: &str,
        item: Item,
        from: From,
        if_version: Option<i32>,
    ) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let count = self.settings(&job).await?.0.sharding_total_count;
        if item >= count {
            return Err(AdminError::NoSuchItem { job, item, count });
        }
        let key = Key::Cursor(item);
        let path = self.keys.of(&job, &key);
        let at = now();
        let mut unclear = None;
        for _ in 0..ATTEMPTS {
            let Some(node) = self.read(&path).await? else { return Err(AdminError::NotHeld { job, item }) };
            let found = node.stat.version;
            let mut mirror = Mirror::default();
            mirror.put(&key, Some(&node));
            let cursor = &mirror.item_mut(item).cursor;
            let said = cursor.cursor().and_then(|cursor| cursor.held.as_ref()?.resume.as_ref());
            if said.is_some_and(|said| said.at == at) {
                return Ok(Done { changed: 1, unchanged: 0 });
            }
            if let Some(expected) = if_version.filter(|expected| *expected != found) {
                return Err(AdminError::CursorChanged { job, item, expected, found });
            }
            let Some(reason) = cursor.held() else { return Err(AdminError::NotHeld { job, item }) };
            let (mut cursor, since) = match cursor {
                CursorNode::Known { cursor, .. } => ((**cursor).clone(), None),
                _ => (Cursor::starting(0, 0, None), Some(node.stat.modified_at)),
            };
            let from = match from {
                From::Now => at,
                From::Instant(instant) => instant,
                From::Last if cursor.settled > 0 => cursor.settled,
                From::Last => {
                    return Err(AdminError::NothingKnown { job, item, reason: reason.to_string() });
                }
            };
            let since = since.or(cursor.held.as_ref().map(|held| held.at)).unwrap_or(at);
            let resume = Some(Resume { from, at, by: self.actor.to_owned() });
            cursor.held = Some(Box::new(Held { reason, at: since, resume }));
            match self.send(vec![Op::set_if(path.clone(), cursor.to_bytes(), found)]).await? {
                Sent::Done(_) => return Ok(Done { changed: 1, unchanged: 0 }),
                Sent::Conflict => {}
                Sent::Unclear(error) => unclear = Some(error),
            }
        }
        Err(unclear.map_or(AdminError::Contended(path), AdminError::from))
    }
}

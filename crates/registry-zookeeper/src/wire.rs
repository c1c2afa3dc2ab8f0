//! ZooKeeper's wire format: the records that this backend sends and reads.
//!
//! Every message is a frame: a 4-byte length, then that many bytes. Inside, numbers are big-endian; a buffer or text is a
//! 4-byte length (−1 for none) and its bytes; a list is a 4-byte count and its items. A request starts with an id chosen
//! by the client (*xid*) and an operation code, an answer with the same id, the number of the last transaction its server
//! has applied, and an error code. Ids below zero have fixed meanings.

use bytes::Bytes;
use clockwright_registry::{Mode, Node, Op, Stat};

/// The largest answer that is read. Only a broken peer announces a larger one: nodes hold at most some megabytes, and reads
/// are asked for in bounded batches.
pub(crate) const MAX_FRAME: usize = 256 << 20;

/// Operation codes.
pub(crate) mod op {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_ACL: i32 = 6;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const SYNC: i32 = 9;
    pub(crate) const PING: i32 = 11;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const REMOVE_WATCHES: i32 = 18;
    pub(crate) const MULTI_READ: i32 = 22;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const SASL: i32 = 102;
    pub(crate) const ADD_WATCH: i32 = 106;
    pub(crate) const CLOSE_SESSION: i32 = -11;
    /// In the header of a result: this operation failed. In the header after the last item: the end.
    pub(crate) const ERROR: i32 = -1;
}

/// Ids of messages that are no ordinary requests.
pub(crate) mod xid {
    pub(crate) const NOTIFICATION: i32 = -1;
    pub(crate) const PING: i32 = -2;
    pub(crate) const AUTH: i32 = -4;
}

/// Error codes of answers.
pub(crate) mod code {
    pub(crate) const OK: i32 = 0;
    pub(crate) const MARSHALLING: i32 = -5;
    pub(crate) const UNIMPLEMENTED: i32 = -6;
    pub(crate) const BAD_ARGUMENTS: i32 = -8;
    pub(crate) const NO_NODE: i32 = -101;
    pub(crate) const NO_AUTH: i32 = -102;
    pub(crate) const BAD_VERSION: i32 = -103;
    pub(crate) const EPHEMERAL_PARENT: i32 = -108;
    pub(crate) const NODE_EXISTS: i32 = -110;
    pub(crate) const NOT_EMPTY: i32 = -111;
    pub(crate) const SESSION_EXPIRED: i32 = -112;
    pub(crate) const INVALID_ACL: i32 = -114;
    pub(crate) const AUTH_FAILED: i32 = -115;
    pub(crate) const SESSION_MOVED: i32 = -118;
    pub(crate) const NOT_READ_ONLY: i32 = -119;
    pub(crate) const SASL_REQUIRED: i32 = -124;
    pub(crate) const QUOTA: i32 = -125;
    pub(crate) const THROTTLED: i32 = -127;
}

/// The kinds of a notification.
pub(crate) mod event {
    pub(crate) const CREATED: i32 = 1;
    pub(crate) const DELETED: i32 = 2;
    pub(crate) const CHANGED: i32 = 3;
    pub(crate) const CHILDREN: i32 = 4;
}

/// An answer that does not follow the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer is malformed: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Writes one frame.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Starts a frame whose length [`Writer::finish`] fills in.
    pub(crate) fn new() -> Self {
        Self(vec![0; 4])
    }

    /// Makes room, so that what follows is not moved while it grows.
    fn reserve(mut self, bytes: usize) -> Self {
        self.0.reserve(bytes);
        self
    }

    /// Starts the frame of a request; its id is put in by [`set_xid`] when it is sent.
    pub(crate) fn request(operation: i32) -> Self {
        Self::new().int(0).int(operation)
    }

    pub(crate) fn int(mut self, value: i32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn long(mut self, value: i64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn bool(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    pub(crate) fn buffer(self, value: &[u8]) -> Self {
        let mut writer = self.int(count(value.len()));
        writer.0.extend_from_slice(value);
        writer
    }

    pub(crate) fn text(self, value: &str) -> Self {
        self.buffer(value.as_bytes())
    }

    /// The header of one operation of a multi.
    fn item(self, operation: i32) -> Self {
        self.int(operation).bool(false).int(-1)
    }

    /// The end of a multi.
    fn end(self) -> Self {
        self.int(op::ERROR).bool(true).int(-1)
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = count(self.0.len() - 4);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// Puts a request's id into its frame.
pub(crate) fn set_xid(frame: &mut [u8], xid: i32) {
    frame[4..8].copy_from_slice(&xid.to_be_bytes());
}

fn count(length: usize) -> i32 {
    i32::try_from(length).expect("requests are bounded far below 2 GiB")
}

/// Reads one frame's content.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.0.split_first_chunk().ok_or(Malformed("it ends early"))?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn int(&mut self) -> Result<i32, Malformed> {
        self.take().map(i32::from_be_bytes)
    }

    pub(crate) fn long(&mut self) -> Result<i64, Malformed> {
        self.take().map(i64::from_be_bytes)
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        self.take::<1>().map(|[byte]| byte != 0)
    }

    /// No buffer and an empty one are the same to us.
    pub(crate) fn buffer(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.int()?).unwrap_or(0);
        let (head, tail) = self.0.split_at_checked(length).ok_or(Malformed("a buffer ends early"))?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.buffer()?).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub(crate) fn texts(&mut self) -> Result<Vec<String>, Malformed> {
        let count = usize::try_from(self.int()?).unwrap_or(0);
        // The count is the peer's word: room is made for what can be in the frame, not for what is announced.
        let mut texts = Vec::with_capacity(count.min(self.0.len() / 4));
        for _ in 0..count {
            texts.push(self.text()?.to_owned());
        }
        Ok(texts)
    }

    /// A node's numbers; those that the port does not know are left out.
    pub(crate) fn stat(&mut self) -> Result<Stat, Malformed> {
        let (created, modified) = (self.long()?, self.long()?);
        let (created_at, modified_at) = (self.long()?, self.long()?);
        let version = self.int()?;
        let (_child_version, _acl_version) = (self.int()?, self.int()?);
        let owner = self.long()?;
        let _data_length = self.int()?;
        let children = u32::try_from(self.int()?).unwrap_or(0);
        let children_changed = self.long()?;
        Ok(Stat { version, created, modified, created_at, modified_at, owner, children, children_changed })
    }

    pub(crate) fn node(&mut self) -> Result<Node, Malformed> {
        Ok(Node { data: Bytes::copy_from_slice(self.buffer()?), stat: self.stat()? })
    }
}

/// Who may touch the nodes that are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acl {
    /// Anyone, everything.
    Open,
    /// Those with the digest of the creating session, everything.
    Creator,
}

/// A commit as one multi. `create` is the operation of ZooKeeper 3.4, whose answer has no stat: the transaction's number
/// is in the answer's header.
pub(crate) fn multi(ops: &[Op], acl: Acl) -> Vec<u8> {
    let bytes = ops.iter().map(Op::weight).sum();
    let mut writer = Writer::request(op::MULTI).reserve(bytes);
    for op in ops {
        writer = write_op(writer, op, acl);
    }
    writer.end().finish()
}

fn write_op(writer: Writer, op: &Op, acl: Acl) -> Writer {
    // The wire says "any version" by −1.
    let any = |version: &Option<i32>| version.unwrap_or(-1);
    match op {
        Op::Create { path, data, mode } => {
            let (scheme, id) = match acl {
                Acl::Open => ("world", "anyone"),
                Acl::Creator => ("auth", ""),
            };
            let flags = match mode {
                Mode::Persistent => 0,
                Mode::Ephemeral => 1,
                Mode::EphemeralSequential => 3,
            };
            let writer = writer.item(op::CREATE).text(path.as_str()).buffer(data);
            writer.int(1).int(ALL_PERMISSIONS).text(scheme).text(id).int(flags)
        }
        Op::Set { path, data, version } => {
            writer.item(op::SET_DATA).text(path.as_str()).buffer(data).int(any(version))
        }
        Op::Delete { path, version } => writer.item(op::DELETE).text(path.as_str()).int(any(version)),
        Op::Check { path, version } => writer.item(op::CHECK).text(path.as_str()).int(any(version)),
    }
}

const ALL_PERMISSIONS: i32 = 31;

/// What one operation of a multi answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Created(&'a str),
    Set(Stat),
    Deleted,
    Checked,
    Failed(i32),
}

/// The answers of a commit's multi.
pub(crate) fn multi_answer(mut reader: Reader<'_>) -> Result<Vec<Item<'_>>, Malformed> {
    let mut items = Vec::new();
    while let Some(operation) = next_item(&mut reader)? {
        items.push(match operation {
            op::CREATE => Item::Created(reader.text()?),
            op::SET_DATA => Item::Set(reader.stat()?),
            op::DELETE => Item::Deleted,
            op::CHECK => Item::Checked,
            op::ERROR => Item::Failed(reader.int()?),
            _ => return Err(Malformed("an unknown result in a multi")),
        });
    }
    Ok(items)
}

fn next_item(reader: &mut Reader<'_>) -> Result<Option<i32>, Malformed> {
    let operation = reader.int()?;
    let end = reader.bool()?;
    reader.int()?;
    Ok((!end).then_some(operation))
}

/// One question about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    Node,
    Children,
}

/// What a question was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Node(Node),
    Children(Vec<String>),
    Failed(i32),
}

/// Many questions as one request; ZooKeeper 3.6 and later.
pub(crate) fn multi_read<'a>(queries: impl Iterator<Item = (Query, &'a str)>) -> Vec<u8> {
    let mut writer = Writer::request(op::MULTI_READ);
    for (query, path) in queries {
        writer = writer.item(query.operation()).text(path).bool(false);
    }
    writer.end().finish()
}

impl Query {
    fn operation(self) -> i32 {
        match self {
            Query::Node => op::GET_DATA,
            Query::Children => op::GET_CHILDREN,
        }
    }

    /// The question as a request of its own, perhaps leaving a one-shot watch.
    pub(crate) fn request(self, path: &str, watch: bool) -> Vec<u8> {
        Writer::request(self.operation()).text(path).bool(watch).finish()
    }

    pub(crate) fn answer(self, mut reader: Reader<'_>) -> Result<Found, Malformed> {
        Ok(match self {
            Query::Node => Found::Node(reader.node()?),
            Query::Children => Found::Children(reader.texts()?),
        })
    }
}

/// The answers of a [`multi_read`].
pub(crate) fn multi_read_answer(mut reader: Reader<'_>) -> Result<Vec<Found>, Malformed> {
    let mut found = Vec::new();
    while let Some(operation) = next_item(&mut reader)? {
        found.push(match operation {
            op::GET_DATA => Found::Node(reader.node()?),
            op::GET_CHILDREN => Found::Children(reader.texts()?),
            op::ERROR => Found::Failed(reader.int()?),
            _ => return Err(Malformed("an unknown result in a multi-read")),
        });
    }
    Ok(found)
}

/// Asks whether a node exists, leaving a one-shot watch.
pub(crate) fn exists_and_watch(path: &str) -> Vec<u8> {
    Writer::request(op::EXISTS).text(path).bool(true).finish()
}

/// Asks for a node's access list.
pub(crate) fn get_acl(path: &str) -> Vec<u8> {
    Writer::request(op::GET_ACL).text(path).finish()
}

/// An access list as `scheme:id` with permission bits.
pub(crate) fn get_acl_answer(mut reader: Reader<'_>) -> Result<Vec<(String, i32)>, Malformed> {
    let count = reader.int()?;
    (0..count)
        .map(|_| {
            let permissions = reader.int()?;
            let (scheme, id) = (reader.text()?, reader.text()?);
            Ok((format!("{scheme}:{id}"), permissions))
        })
        .collect()
}

/// Watches a node and all below it until the connection ends; ZooKeeper 3.6 and later.
pub(crate) fn add_recursive_watch(path: &str) -> Vec<u8> {
    const RECURSIVE: i32 = 1;
    Writer::request(op::ADD_WATCH).text(path).int(RECURSIVE).finish()
}

/// Takes all watches of this session from a node.
pub(crate) fn remove_watches(path: &str) -> Vec<u8> {
    const ANY: i32 = 3;
    Writer::request(op::REMOVE_WATCHES).text(path).int(ANY).finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use clockwright_registry::Path;

    #[test]
    fn a_request_is_framed_with_its_length_id_and_operation() {
        let mut frame = Query::Node.request("/a", true);
        set_xid(&mut frame, 7);
        assert_eq!(frame, [0, 0, 0, 15, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 2, b'/', b'a', 1]);
    }

    #[test]
    fn a_commit_asks_for_any_version_by_minus_one_and_ends_its_list() {
        let frame = multi(&[Op::check(Path::new("/a").unwrap())], Acl::Open);
        let mut reader = Reader(&frame[8..]);
        assert_eq!(reader.int(), Ok(op::MULTI));
        assert_eq!((reader.int(), reader.bool(), reader.int()), (Ok(op::CHECK), Ok(false), Ok(-1)));
        assert_eq!((reader.text(), reader.int()), (Ok("/a"), Ok(-1)));
        assert_eq!((reader.int(), reader.bool(), reader.int()), (Ok(-1), Ok(true), Ok(-1)));
        assert!(reader.0.is_empty());
    }

    #[test]
    fn an_answer_cut_anywhere_is_malformed_and_never_a_panic() {
        let answer = Writer::new().item(op::CREATE).text("/a").item(op::ERROR).int(-101).end().finish();
        let body = &answer[4..];
        assert_eq!(multi_answer(Reader(body)), Ok(vec![Item::Created("/a"), Item::Failed(-101)]));
        for cut in 0..body.len() {
            assert!(multi_answer(Reader(&body[..cut])).is_err(), "cut at {cut}");
            assert!(multi_read_answer(Reader(&body[..cut])).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn an_announced_count_does_not_reserve_memory() {
        let frame = Writer::new().int(i32::MAX).text("a").finish();
        assert!(Reader(&frame[4..]).texts().is_err());
    }
}

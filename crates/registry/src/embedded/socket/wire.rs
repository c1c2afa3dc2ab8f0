//! How messages look on the socket: fixed-width little-endian numbers, lengths before texts and lists, a number before
//! each choice.

use crate::{Commit, Conflict, Error, Hint, Mode, Node, Op, OpResult, Path, Stat, Terms};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Hello {
        protocol: u32,
        timeout: i64,
        resume: Option<(i64, u128)>,
    },
    Ping,
    Read(Vec<Path>),
    Lists(Vec<Path>),
    Tree(Path),
    Commit(Vec<Op>),
    Watch(Path),
    /// Ends the watch that the request of this number began.
    Unwatch(u64),
    Close,
}

/// What the server says; the number of the request it belongs to goes before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Welcome {
        terms: Terms,
        secret: u128,
    },
    Done,
    Nodes(Vec<Option<Node>>),
    Names(Vec<Vec<String>>),
    Tree(Vec<(Path, Node)>),
    Commit(Commit),
    Error(Error),
    Hint(Hint),
    /// The session is over; nothing follows.
    Lost,
}

/// What came cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("the other side does not speak this protocol: {0}")]
pub(super) struct Malformed(&'static str);

/// Appends a frame: its length, a request's number, a message.
pub(super) fn put_frame(out: &mut BytesMut, number: u64, message: &impl Wire) {
    let start = out.len();
    out.put_u32_le(0);
    number.put(out);
    message.put(out);
    let length = u32::try_from(out.len() - start - 4).expect("a message is far smaller than 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Takes the next whole frame; `None` when more must be read first.
pub(super) fn take_frame<M: Wire>(input: &mut BytesMut, limit: usize) -> Result<Option<(u64, M)>, Malformed> {
    let Some(head) = input.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*head) as usize;
    if length > limit {
        return Err(Malformed("a message is too large"));
    }
    if input.len() < 4 + length {
        input.reserve(4 + length - input.len());
        return Ok(None);
    }
    input.advance(4);
    let mut body = input.split_to(length).freeze();
    let frame = (u64::take(&mut body)?, M::take(&mut body)?);
    if body.has_remaining() {
        Err(Malformed("a message is longer than its contents"))
    } else {
        Ok(Some(frame))
    }
}

/// A value that goes over the socket.
pub(super) trait Wire: Sized {
    fn put(&self, out: &mut BytesMut);
    fn take(input: &mut Bytes) -> Result<Self, Malformed>;
}

macro_rules! numbers {
    ($($type:ty, $put:ident, $take:ident;)*) => { $(
        impl Wire for $type {
            fn put(&self, out: &mut BytesMut) {
                out.$put(*self);
            }
            fn take(input: &mut Bytes) -> Result<Self, Malformed> {
                input.$take().map_err(|_| Malformed("a message ends too early"))
            }
        }
    )* };
}

numbers! {
    u8, put_u8, try_get_u8;
    u32, put_u32_le, try_get_u32_le;
    u64, put_u64_le, try_get_u64_le;
    u128, put_u128_le, try_get_u128_le;
    i32, put_i32_le, try_get_i32_le;
    i64, put_i64_le, try_get_i64_le;
}

impl Wire for usize {
    fn put(&self, out: &mut BytesMut) {
        (*self as u64).put(out);
    }
    fn take(input: &mut Bytes) -> Result<Self, Malformed> {
        usize::try_from(u64::take(input)?).map_err(|_| Malformed("a number is too large"))
    }
}

impl Wire for bool {
    fn put(&self, out: &mut BytesMut) {
        u8::from(*self).put(out);
    }
    fn take(input: &mut Bytes) -> Result<Self, Malformed> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(UNKNOWN),
        }
    }
}

impl Wire for Bytes {
    fn put(&self, out: &mut BytesMut) {
        self.len().put(out);
        out.put_slice(self);
    }
    /// Copies, so that a small value which is kept does not keep the whole message.
    fn take(input: &mut Bytes) -> Result<Self, Malformed> {
        let length = usize::take(input)?;
        if length > input.len() {
            return Err(Malformed("a message ends too early"));
        }
        Ok(Bytes::copy_from_slice(&input.split_to(length)))
    }
}

impl Wire for String {
    fn put(&self, out: &mut BytesMut) {
        self.len().put(out);
        out.put_slice(self.as_bytes());
    }
    fn take(input: &mut Bytes) -> Result<Self, Malformed> {
        String::from_utf8(<Bytes as Wire>::take(input)?.into()).map_err(|_| Malformed("a text is not UTF-8"))
    }
}

impl Wire for Path {
    fn put(&self, out: &mut BytesMut) {
        self.as_str().len().put(out);
        out.put_slice(self.as_str().as_bytes());
    }
    fn take(input: &mut Bytes) -> Result<Self, Malformed> {
        Path::new(&String::take(input)?).map_err(|_| Malformed("a path is none"))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut BytesMut) {
        match self {
            None => 0_u8.put(out),
            Some(value) => {
                1_u8.put(out);
                value.put(out);
            }
        }
    }
    fn take(input: &mut Bytes) -> Result<Self, Malformed> {
        match u8::take(input)? {
            0 => Ok(None),
            1 => Ok(Some(T::take(input)?)),
            _ => Err(UNKNOWN),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut BytesMut) {
        self.len().put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn take(input: &mut Bytes) -> Result<Self, Malformed> {
        // No list is longer than the bytes that are left, whatever its length claims.
        let length = usize::take(input)?.min(input.len() + 1);
        (0..length).map(|_| T::take(input)).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut BytesMut) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(input: &mut Bytes) -> Result<Self, Malformed> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

/// A struct is its fields, in the order given here.
macro_rules! structs {
    ($($type:ident { $($field:ident)* })*) => { $(
        impl Wire for $type {
            fn put(&self, out: &mut BytesMut) {
                $(self.$field.put(out);)*
            }
            fn take(input: &mut Bytes) -> Result<Self, Malformed> {
                Ok($type { $($field: Wire::take(input)?),* })
            }
        }
    )* };
}

structs! {
    Stat { version created modified created_at modified_at owner children children_changed }
    Node { data stat }
    Terms { session timeout max_ops max_bytes recursive_watch }
    Commit { transaction results }
}

const UNKNOWN: Malformed = Malformed("a choice is unknown");

/// An enum is the number of its variant, then that variant's fields.
macro_rules! enums {
    ($($type:ident { $($tag:literal $variant:ident $(($value:ident))? $({ $($field:ident)* })?;)* })*) => { $(
        impl Wire for $type {
            fn put(&self, out: &mut BytesMut) {
                match self {
                    $($type::$variant $(($value))? $({ $($field),* })? => {
                        out.put_u8($tag);
                        $($value.put(out);)?
                        $($($field.put(out);)*)?
                    })*
                }
            }
            fn take(input: &mut Bytes) -> Result<Self, Malformed> {
                Ok(match u8::take(input)? {
                    $($tag => $type::$variant
                        $(({ let $value = Wire::take(input)?; $value }))?
                        $({ $($field: Wire::take(input)?),* })?,)*
                    _ => return Err(UNKNOWN),
                })
            }
        }
    )* };
}

enums! {
    Request {
        0 Hello { protocol timeout resume };
        1 Ping;
        2 Read(paths);
        3 Lists(paths);
        4 Tree(path);
        5 Commit(ops);
        6 Watch(path);
        7 Unwatch(number);
        8 Close;
    }
    Answer {
        0 Welcome { terms secret };
        1 Done;
        2 Nodes(nodes);
        3 Names(names);
        4 Tree(nodes);
        5 Commit(commit);
        6 Error(error);
        7 Hint(hint);
        8 Lost;
    }
    Op {
        0 Create { path data mode };
        1 Set { path data version };
        2 Delete { path version };
        3 Check { path version };
    }
    Mode {
        0 Persistent;
        1 Ephemeral;
        2 EphemeralSequential;
    }
    OpResult {
        0 Created(path);
        1 Set { version };
        2 Deleted;
        3 Checked;
    }
    Error {
        0 Conflict { index path conflict };
        1 Unknown(why);
        2 Unavailable(why);
        3 SessionLost;
        4 Denied(why);
        5 Refused(why);
    }
    Conflict {
        0 Exists;
        1 Missing;
        2 Version;
        3 HasChildren;
        4 EphemeralParent;
    }
    Hint {
        0 Path(path);
        1 Everything;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn answers() -> Vec<Answer> {
        let path = Path::root().join("作业");
        let stat = Stat {
            version: -1,
            created: i64::MAX,
            owner: 7,
            children: 3,
            children_changed: 9,
            ..Stat::default()
        };
        let node = Node { data: Bytes::from_static(&[0, 255, 1]), stat };
        let results = vec![
            OpResult::Created(path.clone()),
            OpResult::Set { version: 9 },
            OpResult::Deleted,
            OpResult::Checked,
        ];
        let terms =
            Terms { session: 1 << 40, timeout: 5, max_ops: 3, max_bytes: usize::MAX, recursive_watch: true };
        vec![
            Answer::Welcome { terms, secret: u128::MAX - 1 },
            Answer::Done,
            Answer::Nodes(vec![None, Some(node.clone())]),
            Answer::Names(vec![vec![String::new(), "ä".to_owned()], Vec::new()]),
            Answer::Tree(vec![(path.clone(), node)]),
            Answer::Commit(Commit { transaction: 12, results }),
            Answer::Error(Error::Conflict {
                index: 3,
                path: path.clone(),
                conflict: Conflict::EphemeralParent,
            }),
            Answer::Error(Error::Unknown("why".to_owned())),
            Answer::Error(Error::SessionLost),
            Answer::Hint(Hint::Path(path)),
            Answer::Hint(Hint::Everything),
            Answer::Lost,
        ]
    }

    #[test]
    fn what_is_written_is_read_again_however_it_is_cut() {
        let mut out = BytesMut::new();
        for (number, answer) in answers().iter().enumerate() {
            put_frame(&mut out, number as u64, answer);
        }
        let mut input = BytesMut::new();
        let mut read = Vec::new();
        for byte in out {
            input.put_u8(byte);
            while let Some((number, answer)) = take_frame::<Answer>(&mut input, 1_000).unwrap() {
                assert_eq!(number as usize, read.len());
                read.push(answer);
            }
        }
        assert_eq!(read, answers());
        assert!(input.is_empty());
    }

    #[test]
    fn damaged_frames_are_refused_and_never_panic_or_allocate_at_will() {
        for (number, answer) in answers().iter().enumerate() {
            let mut whole = BytesMut::new();
            put_frame(&mut whole, number as u64, answer);
            for at in 0..whole.len() {
                for bit in 0..8 {
                    let mut damaged = whole.clone();
                    damaged[at] ^= 1 << bit;
                    let _ = take_frame::<Answer>(&mut damaged, 1_000);
                }
            }
        }
        let mut huge = BytesMut::new();
        put_frame(&mut huge, 1, &Request::Read(Vec::new()));
        let length = huge.len();
        huge[length - 8..].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(take_frame::<Request>(&mut huge, 1_000).is_err());
        assert!(take_frame::<Request>(&mut BytesMut::from(&[0xff; 8][..]), 1_000).is_err());
    }
}

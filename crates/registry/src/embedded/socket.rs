//! The embedded registry for other processes of the same machine, over a Unix socket.
//!
//! # Protocol
//! One connection carries one session. Each message is a frame: its length (32 bits, little-endian), and a body (`wire`).
//! The client speaks first: *hello* with the protocol's version and either a wished timeout or the id and secret of the
//! session to go on with. The server answers *welcome* or an error. Then requests go one way and answers the other, paired
//! by number, as many at a time as there are; commits take effect in the order in which they were written. Hints carry
//! the number of the request that asked for them, and those of earlier transactions go before an answer. The socket may be opened by its owner only (mode 0600); who may open it
//! may do everything.
//!
//! **Timing.** The server expires a session when nothing was heard of it for its timeout. The client sends a ping every
//! third of it. It counts from the *sending* of the last ping that was answered, which is earlier than the server heard
//! it: after two thirds of the timeout without a newer answer it gives the connection up, is *suspended* and connects
//! anew, with the session's secret; after the whole timeout the session is *lost*. So a client always knows before the
//! server acts. A client that was stopped and goes on later finds its session over, by its own clock or by the server's
//! word. A server that was stopped itself gives every session a full timeout when it goes on.
//!
//! **A connection that breaks.** Commits on their way are *unknown*, other requests unavailable; while suspended,
//! requests are unavailable at once. When the client comes back, the server first ends the old connection of the session,
//! so that nothing which was still in its buffers happens after the welcome. Watches are asked for again, and each then
//! gets [`crate::Hint::Everything`].
//!
//! **The end.** A closed session, also one whose client dropped it, ends at once. When the registry's process ends, so do
//! all sessions: a client that reaches its successor is told that its session is over.

mod client;
mod server;
mod wire;

pub use client::SocketSession;
pub use server::SocketServer;

/// Version of the protocol: both sides must speak the same one.
const PROTOCOL: u32 = 2;
/// Largest frame that the server takes: a commit of the largest size, or a batch of paths, with ample room.
const MAX_REQUEST: usize = 8 << 20;
/// Largest frame that the client takes: the answer for a whole tree.
const MAX_ANSWER: usize = 1 << 30;

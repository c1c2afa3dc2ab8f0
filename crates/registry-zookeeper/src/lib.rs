//! The ZooKeeper backend of the registry port: ZooKeeper 3.4 to 3.9, over a client of its own.
//!
//! # Why a client of its own
//! The port's promises need things that are on ZooKeeper's wire, and that no published Rust client passes on:
//! - **the transaction number of every commit** is in the header of its answer. The answers of creates, deletes and checks
//!   inside a multi have none, or, before 3.8.2, a wrong one (ZOOKEEPER-4026);
//! - **ZooKeeper 3.4** understands a multi only when its creates are the old `create` operation;
//! - **an unclear write**: only who hands the bytes to the socket knows which requests surely never left;
//! - reconnecting within a second of a server's return, however long it was away; a session that is over when a server
//!   says so, and not when a client guesses.
//!
//! The part of the protocol that is needed is small: `wire` has the records, `connection` the handshake, `session` the
//! life of a session over many connections, `watching` the hints, this file the port.
//!
//! Users sign in by ZooKeeper's `digest`, as in Elastic-Job, or by SASL with `DIGEST-MD5`; Kerberos is not spoken. Servers may speak TLS
//! (feature `tls`), and ask for a certificate: `stream` has the bytes' way, `sasl` the exchange.

mod access;
mod connection;
mod options;
mod release;
mod sasl;
mod session;
mod stream;
mod watching;
mod wire;

pub use options::{Options, SignIn, Tls, UrlError, parse_url};

use async_trait::async_trait;
use clockwright_registry::{
    Access, Commit, CommitFuture, Conflict, Error, Hint, Node, Op, OpResult, Path, Registry, Release,
    Session, Terms, check_commit,
};
use connection::{ConnectError, Identity};
use options::Checked;
use session::{Answer, Command, Failure, Shared};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use wire::{Acl, Found, Item, Query, code};

/// Most operations in one commit.
const MAX_OPS: usize = 5_000;
/// Most bytes in one commit. Servers drop the connection on a request over 1 MiB (`jute.maxbuffer`).
const MAX_BYTES: usize = 512 << 10;
/// Most questions in one multi-read, and most bytes that ask them.
const READ_BATCH: usize = 256;
const READ_BATCH_BYTES: usize = 128 << 10;
/// How many questions are under way at once on servers without multi-reads, and how many batches on others.
const READ_WINDOW: usize = 256;
const BATCH_WINDOW: usize = 8;

/// A session with ZooKeeper servers. Dropping it closes the session, as far as that can be done without waiting.
pub struct ZooKeeper {
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
    watches: Arc<watching::Watches>,
    acl: Acl,
    /// How the servers name the session's user, with the scheme.
    user: Option<String>,
    options: Checked,
}

/// What proves to the servers whose session it is. Whoever has it can end the session: keep it secret.
#[derive(Clone)]
pub struct Credentials {
    session: i64,
    password: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials {{ session: {:#x}, .. }}", self.session)
    }
}

impl ZooKeeper {
    /// Opens a session. Must be called within a tokio runtime, which also carries the session's task.
    ///
    /// # Errors
    /// [`Error::Refused`] when the options make no sense, [`Error::Denied`] when the servers do not take the user,
    /// [`Error::Unavailable`] when no server could be reached in time.
    pub async fn connect(options: Options) -> Result<Arc<Self>, Error> {
        let checked = options.checked()?;
        let acl = if checked.user.is_some() { Acl::Creator } else { Acl::Open };
        let user = checked.user.as_deref().map(|login| access::name_of(login, checked.sign_in));
        let identity = Identity::new(0, vec![0; 16], checked.session_timeout);
        let (commands, shared) =
            session::open(checked.clone(), identity).await.map_err(|error| match error {
                ConnectError::Denied(why) => Error::Denied(why),
                error => Error::Unavailable(format!("no ZooKeeper session at {}: {error}", options.servers)),
            })?;
        Ok(Arc::new(Self { commands, shared, watches: Arc::default(), acl, user, options: checked }))
    }

    /// Ends a session of another process, or of this one behind its back, as its timeout would: for an operator who knows
    /// that its owner is gone, and for tests.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no server confirmed within [`Options::connect_timeout`] that the session is over.
    pub async fn end(options: Options, credentials: &Credentials) -> Result<(), Error> {
        let checked = options.checked()?;
        let session = credentials.session;
        let identity = Identity::new(session, credentials.password.clone(), checked.session_timeout);
        session::end(&checked, &identity).await.map_err(|error| {
            Error::Unavailable(format!(
                "session {session:#x} at {} is perhaps not over: {error}",
                options.servers
            ))
        })
    }

    /// What [`ZooKeeper::end`] needs.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let password = self.shared.password.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Credentials { session: self.shared.session, password }
    }

    /// Who may touch a node: `scheme:id` with ZooKeeper's permission bits; empty when it does not exist.
    ///
    /// # Errors
    /// As [`Registry::read`].
    pub async fn access_list(&self, path: &Path) -> Result<Vec<(String, i32)>, Error> {
        let answer = request(&self.commands, wire::get_acl(path.as_str())).await.map_err(read_failure)?;
        match answer.code {
            code::OK => {
                wire::get_acl_answer(answer.body()).map_err(|error| Error::Unavailable(error.to_string()))
            }
            code::NO_NODE => Ok(Vec::new()),
            error => Err(read_error(error, path)),
        }
    }

    async fn access_one(&self, path: &Path) -> Result<Access, Error> {
        match self.access_list(path).await {
            Ok(list) if list.is_empty() => Ok(Access::Missing),
            Ok(list) => Ok(access::of(&list, self.user.as_deref())),
            // Since 3.4.14 and 3.5.5, only who may read or administer a node is told who may.
            Err(Error::Denied(_)) => Ok(Access::Foreign),
            Err(error) => Err(error),
        }
    }

    /// Asks about many nodes: in multi-reads where the server has them, else one by one; many under way at once.
    async fn query(&self, queries: &[(Query, &Path)]) -> Result<Vec<Found>, Error> {
        use futures::stream::{StreamExt, TryStreamExt};
        if self.shared.modern.load(Ordering::Relaxed) {
            let batches = batches(queries).map(|batch| self.query_batch(batch)).collect::<Vec<_>>();
            let found: Vec<Vec<Found>> =
                futures::stream::iter(batches).buffered(BATCH_WINDOW).try_collect().await?;
            return Ok(found.into_iter().flatten().collect());
        }
        let single = queries.iter().map(|query| self.query_one(*query)).collect::<Vec<_>>();
        futures::stream::iter(single).buffered(READ_WINDOW).try_collect().await
    }

    async fn query_batch(&self, batch: &[(Query, &Path)]) -> Result<Vec<Found>, Error> {
        let frame = wire::multi_read(batch.iter().map(|(query, path)| (*query, path.as_str())));
        let answer = request(&self.commands, frame).await.map_err(read_failure)?;
        let Some((_, first)) = batch.first() else { return Ok(Vec::new()) };
        if answer.code != code::OK {
            return Err(read_error(answer.code, first));
        }
        let found =
            wire::multi_read_answer(answer.body()).map_err(|error| Error::Unavailable(error.to_string()))?;
        if found.len() != batch.len() {
            return Err(Error::Unavailable(
                "the server's answer has another length than the question".to_owned(),
            ));
        }
        Ok(found)
    }

    async fn query_one(&self, (query, path): (Query, &Path)) -> Result<Found, Error> {
        let answer =
            request(&self.commands, query.request(path.as_str(), false)).await.map_err(read_failure)?;
        if answer.code != code::OK {
            return Ok(Found::Failed(answer.code));
        }
        query.answer(answer.body()).map_err(|error| Error::Unavailable(error.to_string()))
    }

    async fn nodes(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        let queries: Vec<_> = paths.iter().map(|path| (Query::Node, path)).collect();
        let found = self.query(&queries).await?;
        found.into_iter().zip(paths).map(|(found, path)| node_of(found, path)).collect()
    }

    /// The names of the children of each node, sorted; none when it does not exist.
    async fn children(&self, paths: &[&Path]) -> Result<Vec<Vec<String>>, Error> {
        let queries: Vec<_> = paths.iter().map(|path| (Query::Children, *path)).collect();
        let found = self.query(&queries).await?;
        found.into_iter().zip(paths).map(|(found, path)| children_of(found, path)).collect()
    }

    /// The nodes of one level of a tree, each with the names of its children. Few are asked for both at once; of many, only those that say they have
    /// children are asked for them, since most nodes are leaves.
    async fn level(&self, paths: &[Path]) -> Result<Vec<Option<(Node, Vec<String>)>>, Error> {
        if paths.len() <= READ_BATCH / 2 {
            let queries: Vec<_> =
                paths.iter().flat_map(|path| [(Query::Node, path), (Query::Children, path)]).collect();
            let mut found = self.query(&queries).await?.into_iter();
            let both = paths.iter().map_while(|path| Some((path, found.next()?, found.next()?)));
            return both
                .map(|(path, node, children)| {
                    let Some(node) = node_of(node, path)? else { return Ok(None) };
                    Ok(Some((node, children_of(children, path)?)))
                })
                .collect();
        }
        let nodes = self.nodes(paths).await?;
        let has_children = |node: &Option<Node>| node.as_ref().is_some_and(|node| node.stat.children > 0);
        let parents: Vec<&Path> =
            paths.iter().zip(&nodes).filter(|(_, node)| has_children(node)).map(|(path, _)| path).collect();
        let mut children = self.children(&parents).await?.into_iter();
        let with_children = nodes.into_iter().map(|node| {
            let names = if has_children(&node) { children.next().unwrap_or_default() } else { Vec::new() };
            node.map(|node| (node, names))
        });
        Ok(with_children.collect())
    }
}

fn node_of(found: Found, path: &Path) -> Result<Option<Node>, Error> {
    match found {
        Found::Node(node) => Ok(Some(node)),
        Found::Failed(code::NO_NODE) => Ok(None),
        Found::Failed(error) => Err(read_error(error, path)),
        Found::Children(_) => Err(Error::Unavailable("the server answered another question".to_owned())),
    }
}

/// The names of a node's children, sorted; none when it does not exist.
fn children_of(found: Found, path: &Path) -> Result<Vec<String>, Error> {
    match found {
        Found::Children(mut names) => {
            names.sort_unstable();
            Ok(names)
        }
        Found::Failed(code::NO_NODE) => Ok(Vec::new()),
        Found::Failed(error) => Err(read_error(error, path)),
        Found::Node(_) => Err(Error::Unavailable("the server answered another question".to_owned())),
    }
}

#[async_trait]
impl Registry for ZooKeeper {
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        self.nodes(paths).await
    }

    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error> {
        self.children(&paths.iter().collect::<Vec<_>>()).await
    }

    async fn access(&self, paths: &[Path]) -> Result<Vec<Access>, Error> {
        use futures::stream::{StreamExt, TryStreamExt};
        let questions = paths.iter().map(|path| self.access_one(path)).collect::<Vec<_>>();
        futures::stream::iter(questions).buffered(READ_WINDOW).try_collect().await
    }

    /// Level by level.
    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error> {
        Ok(self.trees(std::slice::from_ref(path)).await?.pop().unwrap_or_default())
    }

    async fn trees(&self, paths: &[Path]) -> Result<Vec<Vec<(Path, Node)>>, Error> {
        let mut trees: Vec<Vec<(Path, Node)>> = paths.iter().map(|_| Vec::new()).collect();
        // Which tree each path of the level belongs to.
        let (mut level, mut of) = (paths.to_vec(), (0..paths.len()).collect::<Vec<_>>());
        while !level.is_empty() {
            let nodes = self.level(&level).await?;
            let (mut next, mut next_of) = (Vec::new(), Vec::new());
            for ((path, tree), found) in level.into_iter().zip(of).zip(nodes) {
                let Some((node, names)) = found else { continue };
                next.extend(names.iter().map(|name| path.join(name)));
                next_of.resize(next.len(), tree);
                trees[tree].push((path, node));
            }
            (level, of) = (next, next_of);
        }
        Ok(trees)
    }

    fn commit(&self, ops: Vec<Op>) -> CommitFuture {
        if let Err(error) = check_commit(&ops, MAX_OPS, MAX_BYTES) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let answer = send(&self.commands, wire::multi(&ops, self.acl), true);
        Box::pin(async move {
            match answer.await {
                Ok(answer) => commit_answer(&ops, &answer),
                Err(Failure::NotSent(why)) => Err(Error::Unavailable(why)),
                Err(Failure::Unknown(why)) => Err(Error::Unknown(why)),
                Err(Failure::Lost) => Err(Error::SessionLost),
            }
        })
    }

    async fn watch(&self, root: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
        watching::watch(&self.commands, &self.shared, &self.watches, root).await
    }

    fn session(&self) -> watch::Receiver<Session> {
        self.shared.state.subscribe()
    }

    fn terms(&self) -> Terms {
        Terms {
            session: self.shared.session,
            timeout: self.shared.timeout.load(Ordering::Relaxed),
            max_ops: MAX_OPS,
            max_bytes: MAX_BYTES,
            recursive_watch: self.shared.modern.load(Ordering::Relaxed),
        }
    }

    async fn releases(&self) -> Vec<Release> {
        let each = self.options.servers.iter().map(|server| release::of(server, &self.options));
        futures::future::join_all(each).await
    }

    /// Waits at most as long as a connect may take; after that the session may end by its timeout.
    async fn close(&self) -> Result<(), Error> {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close { done }).is_err() {
            return Ok(());
        }
        let unclear = || Error::Unknown("the servers did not confirm that the session is closed".to_owned());
        match tokio::time::timeout(self.options.connect_timeout, closed).await {
            Ok(Ok(())) => Ok(()),
            // A second close takes the place of the first, and the session's task may end meanwhile.
            Ok(Err(_)) if *self.shared.state.borrow() == Session::Lost => Ok(()),
            Ok(Err(_)) | Err(_) => Err(unclear()),
        }
    }
}

/// Sends a request now; the future is only the answer.
fn request(
    commands: &mpsc::UnboundedSender<Command>,
    frame: Vec<u8>,
) -> impl Future<Output = Result<Answer, Failure>> + Send + use<> {
    send(commands, frame, false)
}

/// As [`request`]; a commit is answered behind the hints of all transactions before it.
fn send(
    commands: &mpsc::UnboundedSender<Command>,
    frame: Vec<u8>,
    commit: bool,
) -> impl Future<Output = Result<Answer, Failure>> + Send + use<> {
    let (reply, answer) = oneshot::channel();
    let sent = commands.send(Command::Request { frame, reply, commit }).is_ok();
    async move {
        if !sent {
            return Err(Failure::Lost);
        }
        // The task answers everything, unless the runtime was shut down under it.
        answer.await.unwrap_or_else(|_| Err(Failure::Unknown("the session's task is gone".to_owned())))
    }
}

fn commit_answer(ops: &[Op], answer: &Answer) -> Result<Commit, Error> {
    if answer.code != code::OK {
        return Err(op_error(answer.code, 0, ops));
    }
    // It was carried out, or not; an answer that cannot be read does not tell.
    let unclear = |why: &str| Error::Unknown(why.to_owned());
    let items = wire::multi_answer(answer.body()).map_err(|error| unclear(&error.to_string()))?;
    // Of a failed multi every operation answers an error; those before the failed one, code 0.
    let failed = items.iter().enumerate().find_map(|(index, item)| match item {
        Item::Failed(error) if *error != code::OK => Some((index, *error)),
        _ => None,
    });
    if let Some((index, error)) = failed {
        return Err(op_error(error, index, ops));
    }
    if items.len() != ops.len() {
        return Err(unclear("the server's answer has another length than the commit"));
    }
    let results = items.into_iter().zip(ops).map(|(item, op)| match item {
        Item::Created(path) if path == op.path().as_str() => Ok(OpResult::Created(op.path().clone())),
        Item::Created(path) => match Path::new(path) {
            Ok(path) => Ok(OpResult::Created(path)),
            Err(error) => Err(unclear(&error.to_string())),
        },
        Item::Set(stat) => {
            debug_assert_eq!(
                stat.modified, answer.transaction,
                "the header names the commit's own transaction"
            );
            Ok(OpResult::Set { version: stat.version })
        }
        Item::Deleted => Ok(OpResult::Deleted),
        Item::Checked => Ok(OpResult::Checked),
        Item::Failed(_) => Err(unclear("the server answered neither success nor failure")),
    });
    Ok(Commit { transaction: answer.transaction, results: results.collect::<Result<_, _>>()? })
}

/// What an error code says about a commit. Codes that do not say that nothing happened are unknown outcomes.
fn op_error(error: i32, index: usize, ops: &[Op]) -> Error {
    let path = ops.get(index).map_or_else(Path::root, |op| op.path().clone());
    let conflict = |conflict| Error::Conflict { index, path: path.clone(), conflict };
    match error {
        code::NO_NODE => conflict(Conflict::Missing),
        code::NODE_EXISTS => conflict(Conflict::Exists),
        code::BAD_VERSION => conflict(Conflict::Version),
        code::NOT_EMPTY => conflict(Conflict::HasChildren),
        code::EPHEMERAL_PARENT => conflict(Conflict::EphemeralParent),
        code::NO_AUTH => {
            Error::Denied(format!("operation {index} on {path}: the session's user may not do this"))
        }
        code::AUTH_FAILED | code::SASL_REQUIRED => {
            Error::Denied("the server demands another authentication".to_owned())
        }
        code::INVALID_ACL => {
            Error::Denied(format!("operation {index} on {path}: the session has no user to give it to"))
        }
        code::BAD_ARGUMENTS | code::MARSHALLING => {
            Error::Refused(format!("operation {index} on {path}: the server does not take it (code {error})"))
        }
        code::QUOTA => Error::Refused(format!("operation {index} on {path}: it exceeds the quota")),
        code::THROTTLED => Error::Unavailable("the server is overloaded".to_owned()),
        code::NOT_READ_ONLY => Error::Unavailable("the server is cut off from its ensemble".to_owned()),
        error => Error::Unknown(format!("operation {index} on {path}: the server answered code {error}")),
    }
}

fn read_error(error: i32, path: &Path) -> Error {
    match error {
        code::NO_AUTH => Error::Denied(format!("{path}: the session's user may not read it")),
        code::AUTH_FAILED | code::SASL_REQUIRED => {
            Error::Denied("the server demands another authentication".to_owned())
        }
        code::BAD_ARGUMENTS => Error::Refused(format!("{path}: the server does not take this path")),
        error => Error::Unavailable(format!("{path}: the server answered code {error}")),
    }
}

/// A read has no outcome that could be unknown: without an answer it did not happen.
fn read_failure(failure: Failure) -> Error {
    match failure {
        Failure::NotSent(why) | Failure::Unknown(why) => Error::Unavailable(why),
        Failure::Lost => Error::SessionLost,
    }
}

/// Cuts questions into batches that are bounded in number and in bytes.
fn batches<'a, 'p>(queries: &'a [(Query, &'p Path)]) -> impl Iterator<Item = &'a [(Query, &'p Path)]> {
    let mut rest = queries;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(READ_BATCH).take_while(|(_, path)| {
            bytes += 16 + path.as_str().len();
            bytes <= READ_BATCH_BYTES
        });
        // One that is too long for any batch goes alone.
        let count = fits.count().max(1).min(rest.len());
        let (batch, tail) = rest.split_at(count);
        rest = tail;
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn batches_are_bounded_in_number_and_bytes_and_keep_the_order() {
        let short: Vec<Path> = (0..600).map(|n| Path::new(&format!("/{n}")).unwrap()).collect();
        let long = Path::new(&format!("/{}", "x".repeat(READ_BATCH_BYTES))).unwrap();
        let mut queries: Vec<_> = short.iter().map(|path| (Query::Node, path)).collect();
        queries.insert(300, (Query::Children, &long));
        let cut: Vec<_> = batches(&queries).map(<[_]>::to_vec).collect();
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [256, 44, 1, 256, 44]);
        assert_eq!(cut.concat(), queries);
        assert_eq!(batches(&[]).count(), 0);
    }

    #[test]
    fn only_codes_that_say_so_mean_that_nothing_happened() {
        let ops = [Op::check(Path::root())];
        for error in [-1, -2, -3, -4, -7, -9, -100, -999] {
            assert!(op_error(error, 0, &ops).is_unknown(), "{error}");
        }
        assert!(matches!(op_error(code::NO_NODE, 0, &ops), Error::Conflict { index: 0, .. }));
    }
}

//! A load generator of our own: as many connections as clients, each kept, each asking one thing after the other.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Where to ask, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    /// More lines of the head of each request, each with its end.
    pub(crate) headers: Arc<str>,
}

/// A kept connection.
pub(crate) struct Connection {
    door: Door,
    stream: BufReader<TcpStream>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) cookie: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body of an answer that is no refusal.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        ensure!(self.status < 300, "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl Door {
    pub(crate) async fn enter(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { door: self.clone(), stream: BufReader::new(stream) })
    }

    /// Asks on a connection of its own.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        more: &str,
        body: &Value,
    ) -> anyhow::Result<Answer> {
        self.enter().await?.ask(method, path, more, body).await
    }
}

impl Connection {
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.ask("GET", path, "", &Value::Null).await
    }

    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        more: &str,
        body: &Value,
    ) -> anyhow::Result<Answer> {
        self.send(method, path, more, body).await?;
        let (status, mut line) = self.status().await?;
        let (mut length, mut cookie) = (0, None);
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name {
                "content-length" => length = value.parse()?,
                "set-cookie" => cookie = value.split(';').next().map(str::to_owned),
                "transfer-encoding" => {
                    bail!("`{path}` is answered in pieces, which this client does not read")
                }
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, cookie, body })
    }

    /// Asks for something whose answer goes on, and leaves the rest of it unread.
    pub(crate) async fn begin(&mut self, path: &str) -> anyhow::Result<()> {
        self.send("GET", path, "", &Value::Null).await?;
        let (status, _) = self.status().await?;
        ensure!(status == 200, "`{path}` is answered by {status}");
        Ok(())
    }

    /// The status of an answer, and its line.
    async fn status(&mut self) -> anyhow::Result<(u16, String)> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).context("the server closed the connection")?.parse()?;
        Ok((status, line))
    }

    async fn send(&mut self, method: &str, path: &str, more: &str, body: &Value) -> anyhow::Result<()> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let Door { address, headers } = &self.door;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}{more}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(self.stream.get_mut().write_all(request.as_bytes()).await?)
    }
}

/// What clients saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How long each answer took, milliseconds.
    pub(crate) times: Vec<f64>,
    /// Answers a second.
    pub(crate) rate: f64,
}

/// What the n-th request of all is for.
pub(crate) type Paths = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// So many clients ask for so long, each with a pause between an answer and the next request.
pub(crate) async fn drive(
    door: &Door,
    paths: &Paths,
    clients: usize,
    think: Duration,
    time: Duration,
) -> anyhow::Result<Seen> {
    let mut tasks: JoinSet<anyhow::Result<Vec<f64>>> = JoinSet::new();
    let begun = Instant::now();
    for client in 0..clients {
        let (door, paths) = (door.clone(), Arc::clone(paths));
        tasks.spawn(async move {
            let mut connection = door.enter().await?;
            let mut times = Vec::new();
            // Not all at once, as people are not.
            tokio::time::sleep(think.mul_f64(client as f64 / clients as f64)).await;
            for n in 0.. {
                if begun.elapsed() >= time {
                    break;
                }
                let path = paths(n * clients + client);
                let asked = Instant::now();
                let answer = connection.get(&path).await?;
                times.push(asked.elapsed().as_secs_f64() * 1e3);
                ensure!(answer.status == 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
                if !think.is_zero() {
                    tokio::time::sleep(think).await;
                }
            }
            Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(Seen { times, rate })
}

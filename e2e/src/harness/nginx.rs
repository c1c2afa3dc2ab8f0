//! A private nginx in front of servers, with the rules that are handed out for it.

use super::{Node, Scene};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// What is handed out, and used here but for its addresses.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/compose/nginx.conf");

/// Where Debian has it, which is not in everybody's PATH.
const DEBIAN: &str = "/usr/sbin/nginx";

/// A running nginx; killed when dropped.
#[derive(Debug)]
pub struct Nginx {
    address: String,
    _node: Node,
}

impl Nginx {
    /// Starts it at `address`, before two servers, `host:port` each. Of what is handed out some may be otherwise: `(what, how)`.
    ///
    /// # Panics
    /// When it does not start: Debian's package `nginx-light` brings it.
    #[must_use]
    pub fn start(scene: &Scene, address: &str, servers: &[String; 2], others: &[(&str, &str)]) -> Self {
        let folder = scene.dir().join("nginx");
        std::fs::create_dir(&folder).expect("the scene's folder can be written");
        let mut text = std::fs::read_to_string(CONFIG).expect("it is in the repository");
        let mut say = |there: &str, instead: &str| {
            assert!(text.contains(there), "nobody says `{there}` in {CONFIG}");
            text = text.replace(there, instead);
        };
        let place = folder.display();
        // Its workers write where its main process does.
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        say("worker_processes auto;", &format!("{user} daemon off; worker_processes 1; pid {place}/pid;"));
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("{kind}_temp_path {place}/{kind};")).concat();
        say("http {", &format!("http {{ access_log off; {temporary}"));
        say("events {", "error_log stderr warn; events {");
        say("listen 8080;", &format!("listen {address};"));
        say("server1:8899", &servers[0]);
        say("server2:8899", &servers[1]);
        for (there, instead) in others {
            say(there, instead);
        }
        let file = folder.join("nginx.conf");
        std::fs::write(&file, text).expect("the scene's folder can be written");
        let file = file.display().to_string();
        let program = Path::new(if Path::new(DEBIAN).exists() { DEBIAN } else { "nginx" });
        let mut node = scene.start("nginx", program, &["-e", "stderr", "-c", &file]);
        let listens = "it listens (Debian package nginx-light)";
        node.until(Duration::from_secs(20), listens, |_| TcpStream::connect(address).is_ok());
        Self { address: address.to_owned(), _node: node }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

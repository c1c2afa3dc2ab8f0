//! The page of reference, made from the table.

use super::table::KEYS;
use std::fmt::Write;

/// The page as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Configuration of a server\n\n\
         <!-- Made by `clockwright reference server-config`; a test compares it with the code. -->\n\n\
         `clockwright server` reads `clockwright.yaml` of the folder that it is started in, or the file that `--config` names. It needs none: every\n\
         key has a default. What is given on the command line counts before the environment, the environment before the file.\n\
         `clockwright config show` prints each value and where it is from; `clockwright server --check` says whether a server could start. A file\n\
         is read whole or refused: every problem is told at once, with its line, and exit code 2.\n\n\
         ```yaml\n\
         listen: 0.0.0.0:8899\n\
         public_url: https://jobs.example.com\n\
         tls:\n  \
           cert: /etc/clockwright/chain.pem\n  \
           key: /etc/clockwright/key.pem\n\
         database: file:/run/credentials/clockwright/database\n\
         registry: zookeeper://zk1:2181,zk2:2181,zk3:2181/jobs\n\
         ```\n\n\
         A value that may hold a password can stand in a file of its own: `file:PATH` is what is in that file.\n\n\
         | key | default | environment | meaning |\n|---|---|---|---|\n",
    );
    for key in KEYS {
        let default = match (key.default, key.example) {
            ("", "") => String::new(),
            ("", example) => format!("for example `{example}`"),
            (default, _) => format!("`{default}`"),
        };
        let variable = key.variable().map(|name| format!("`{name}`")).unwrap_or_default();
        let _ = writeln!(page, "| `{}` | {default} | {variable} | {} |", key.name, key.help);
    }
    page
}

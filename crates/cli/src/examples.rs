//! An example for the help of each command: what one would type, ready to be changed.

use clap::Command;

/// The words of a command, and what its help shows. Each line that begins with `clockwright` can be run as it stands.
const EXAMPLES: &[(&str, &str)] = &[
    ("dev", "clockwright dev -f jobs.yaml"),
    (
        "node",
        "clockwright node -f jobs.yaml --registry zookeeper://zk1:2181,zk2:2181,zk3:2181/jobs --events postgres://jobs@db/history",
    ),
    ("job list", "clockwright job list --registry zookeeper://zk1:2181/jobs"),
    ("job get", "clockwright job get report"),
    ("job trigger", "clockwright job trigger report --id close-of-march"),
    ("job pause", "clockwright job pause report --reason 'the database is being moved'"),
    ("job resume", "clockwright job resume report"),
    ("job disable", "clockwright job disable report --host 10.0.0.7"),
    ("job enable", "clockwright job enable report --host 10.0.0.7"),
    ("job drain", "clockwright job drain report --timeout 5m --reason 'new release'"),
    ("job set", "clockwright job set report --cron '0 30 2 * * ?' --items 8"),
    ("job shutdown", "clockwright job shutdown report --target 10.0.0.7"),
    ("job remove", "clockwright job remove report"),
    ("job history", "clockwright job history report --from 2d"),
    ("job dump", "clockwright job dump report --show-ips"),
    ("shard disable", "clockwright shard disable report 3"),
    ("shard enable", "clockwright shard enable report 3"),
    ("shard resume", "clockwright shard resume report 3 --from last"),
    ("host list", "clockwright host list"),
    ("host disable", "clockwright host disable 10.0.0.7"),
    ("host enable", "clockwright host enable 10.0.0.7"),
    ("host shutdown", "clockwright host shutdown 10.0.0.7"),
    ("job create", "clockwright job create -f jobs.yaml report --owner lina --reason 'the first one'"),
    ("job edit", "clockwright job edit report -f jobs.yaml --reason 'as the file has it'"),
    ("job versions", "clockwright job versions report --diff 1 2"),
    ("job rollback", "clockwright job rollback report --to 1 --reason 'it was better before'"),
    ("server", "clockwright server --listen 127.0.0.1:8899"),
    ("user rescue", "clockwright user rescue --config /etc/clockwright/clockwright.yaml"),
    ("user setup-link", "clockwright user setup-link --config /etc/clockwright/clockwright.yaml"),
    ("doctor", "clockwright doctor --config /etc/clockwright/clockwright.yaml"),
    (
        "secret seal",
        "printf %s \"$PASSWORD\" | clockwright secret seal --config /etc/clockwright/clockwright.yaml",
    ),
    ("secret rotate", "clockwright secret rotate --new-key --config /etc/clockwright/clockwright.yaml"),
    ("login", "clockwright login lina --server https://jobs.example.com --project billing"),
    ("logout", "clockwright logout"),
    ("project list", "clockwright project list"),
    ("project get", "clockwright project get billing"),
    ("project create", "clockwright project create billing --title 'What customers pay'"),
    ("project set", "clockwright project set billing --outside report"),
    ("project remove", "clockwright project remove billing --detach"),
    ("project members", "clockwright project members billing"),
    ("project grant", "clockwright project grant billing wei --role operator"),
    ("project revoke", "clockwright project revoke billing wei"),
    ("diff", "clockwright diff jobs.yaml --source billing-jobs"),
    ("apply", "clockwright apply jobs.yaml --source billing-jobs --prune --reason 'release 12'"),
    ("export", "clockwright export > jobs.yaml"),
    ("sync status", "clockwright sync status report"),
    ("sync run", "clockwright sync run"),
    ("sync resolve", "clockwright sync resolve report --take database"),
    ("sync confirm", "clockwright sync confirm"),
    ("sync unmanaged", "clockwright sync unmanaged"),
    ("sync adopt", "clockwright sync adopt --dry-run"),
    ("drift list", "clockwright drift list report"),
    ("drift get", "clockwright drift get 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
    ("hold list", "clockwright hold list"),
    ("operation list", "clockwright operation list -n 10"),
    ("operation get", "clockwright operation get 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b --wait"),
    ("operation cancel", "clockwright operation cancel 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
    ("alert list", "clockwright alert list --severity critical"),
    ("alert get", "clockwright alert get 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
    ("alert ack", "clockwright alert ack 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b --note 'I look at the disk'"),
    ("alert unack", "clockwright alert unack 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
    ("silence list", "clockwright silence list"),
    (
        "silence create",
        "clockwright silence create --for 2h --jobs 'invoice-*' --reason 'the month is closed by hand'",
    ),
    ("silence remove", "clockwright silence remove 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
    ("user list", "clockwright user list"),
    ("user get", "clockwright user get wei"),
    ("user invite", "clockwright user invite wei --name 'Li Wei'"),
    ("user link", "clockwright user link wei"),
    ("user disable", "clockwright user disable wei"),
    ("user enable", "clockwright user enable wei"),
    ("user end-sessions", "clockwright user end-sessions wei"),
    ("user remove", "clockwright user remove wei"),
    ("user roles", "clockwright user roles"),
    ("user grant", "clockwright user grant wei --role viewer"),
    ("user revoke", "clockwright user revoke wei"),
    ("token list", "clockwright token list --service deploy"),
    (
        "token create",
        "clockwright token create pipeline --service deploy --scope write --only billing --for 30d",
    ),
    ("token remove", "clockwright token remove 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b --service deploy"),
    ("token services", "clockwright token services"),
    ("token remove-service", "clockwright token remove-service deploy"),
    ("audit list", "clockwright audit list --action job.update"),
    ("audit verify", "clockwright audit verify --expect 4711:9f86d081884c7d65"),
    ("backup", "clockwright backup control.backup --config /etc/clockwright/clockwright.yaml"),
    ("restore", "clockwright restore control.backup --config /etc/clockwright/clockwright.yaml"),
    ("config show", "clockwright config show --config /etc/clockwright/clockwright.yaml"),
    ("run list", "clockwright run list report --outcome failed --outcome missed --from 7d"),
    ("run get", "clockwright run get 0196a1b2-c3d4"),
    ("run logs", "clockwright run logs report --follow"),
    ("ledger", "clockwright ledger report --from '2026-01-31 00:00' --to 2026-02-01"),
    ("stats", "clockwright stats report --by day --from 30d"),
    ("cron next", "clockwright cron next '0 0/5 9-17 ? * MON-FRI' --tz Europe/Berlin"),
    ("verify", "clockwright verify jobs.yaml"),
    ("completion", "clockwright completion bash > /etc/bash_completion.d/clockwright"),
];

/// The command with the examples in the help of its parts.
pub(crate) fn with_examples(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (words, example)| {
        let words: Vec<&str> = words.split(' ').collect();
        at(command, &words, example)
    })
}

fn at(command: Command, words: &[&'static str], example: &'static str) -> Command {
    match words {
        [] => command.after_help(format!("Example:\n  {example}")),
        [word, rest @ ..] => command.mut_subcommand(*word, |part| at(part, rest, example)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Cli;
    use clap::{CommandFactory as _, Parser as _};

    /// The words of a line as a shell would pass them, up to where it writes into a file.
    fn words(line: &str) -> Vec<String> {
        // What is piped into it is another program's.
        let line = line.rsplit(" | ").next().unwrap_or(line);
        let mut words = Vec::new();
        for (place, part) in line.split('\'').enumerate() {
            if place % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(ToOwned::to_owned));
            }
        }
        words.into_iter().take_while(|word| word != ">").collect()
    }

    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        for part in command.get_subcommands().filter(|part| !part.is_hide_set() && part.get_name() != "help")
        {
            let path = format!("{path} {}", part.get_name()).trim().to_owned();
            match part.has_subcommands() {
                true => leaves(part, &path, found),
                false => found.push(path),
            }
        }
    }

    #[test]
    fn every_command_has_an_example_in_its_help_that_it_understands() {
        let mut all = Vec::new();
        leaves(&Cli::command(), "", &mut all);
        assert!(all.len() > 20, "{all:?}");
        for path in &all {
            let example = EXAMPLES.iter().find(|(words, _)| words == path);
            let (_, example) = example.unwrap_or_else(|| panic!("`{path}` has no example"));
            let words = words(example);
            assert_eq!(
                words[1..].iter().take(path.split(' ').count()).cloned().collect::<Vec<_>>().join(" "),
                *path
            );
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{example}: {error}");
            }
        }
        assert_eq!(EXAMPLES.len(), all.len(), "an example is of no command");
        let help = with_examples(Cli::command());
        let mut ledger = help.find_subcommand("ledger").unwrap().clone();
        assert!(ledger.render_long_help().to_string().contains("Example:\n  clockwright ledger"));
    }
}

//! Kinds of drift: what a foreign hand does to a job's nodes, and what must hold after one sync.
//!
//! The name of a row is the name of its job. Rows are data, so that the same table is used in each layout, on a registry by itself and beside live
//! Java instances.

use clockwright_fleet::Layout;
use clockwright_fleet::Layout::{V2, V3};
use clockwright_fleet::keys::Key;
use clockwright_model::{JobName, JobSettings};
use clockwright_settings::table::find;
use serde_json::{Value, json};

/// The host that rows about hosts are about; no instance is there.
pub(crate) const HOST: &str = "10.0.0.1";

/// One kind of drift.
pub(crate) struct Row {
    /// Also the name of its job.
    pub(crate) name: String,
    /// What an operator asked for before.
    pub(crate) asked: Option<(&'static str, Value)>,
    /// What the foreign hand does.
    pub(crate) hand: Hand,
    /// What must hold after one sync.
    pub(crate) then: Then,
}

/// What a foreign hand does.
pub(crate) enum Hand {
    /// Writes a config made of the one that is there.
    Config(Edit),
    /// Writes a config that is greater than what any client of ours writes, on one line and without `'`.
    Huge(fn(&Before) -> String),
    /// Writes nodes; `None` deletes one with all that is below it.
    Nodes(Vec<(Key, Option<&'static str>)>),
    /// Gives the config this access list.
    Access(&'static str),
}

/// What becomes of a config.
pub(crate) type Edit = Box<dyn Fn(&Before) -> Vec<u8>>;

/// A job before the foreign hand comes.
pub(crate) struct Before {
    pub(crate) layout: Layout,
    pub(crate) settings: JobSettings,
    pub(crate) config: String,
}

/// What must hold after one sync.
pub(crate) enum Then {
    /// Settings are as the database says, and what was there is on record, by its kind, with the keys that differed and who may have
    /// written it.
    Mended { kind: &'static str, keys: Vec<&'static str>, author: &'static str },
    /// Settings are as the database says; nothing is on record, since no person has to know it.
    Restored { kind: &'static str },
    /// It says the same as before, so nothing is written.
    Same,
    /// It is left as it is, and told: the job's state, and on record the kind and who may have written it.
    Told { state: &'static str, kind: &'static str, author: &'static str },
    /// A node says this, or is not there; the report has this state, and these holds stand.
    Held { node: (Key, Option<&'static str>), state: &'static str, hold: &'static str },
}

/// What the database says of each job: of each key something that is not its default.
pub(crate) fn settings(name: &str, layout: Layout, class: &str) -> Value {
    let mut settings = json!({
        "elasticJobType": "SIMPLE", "elasticJobClass": class, "cron": "0 0 1 1 1 ? 2099", "shardingTotalCount": 3,
        "shardingItemParameters": "0=a,1=b", "jobParameter": "p<1>&'x'=日", "description": "it's: a #text",
        "maxTimeDiffSeconds": 60, "reconcileIntervalMinutes": 5, "failover": true,
    });
    if layout == V2 {
        settings["monitorPort"] = json!(-1);
    }
    if name == "lost-clockwright" {
        settings["retry"] = json!({ "maxAttempts": 3 });
    }
    settings
}

/// All rows of a layout.
pub(crate) fn rows(layout: Layout) -> Vec<Row> {
    let mut rows = unreadable(layout);
    rows.extend(readable(layout));
    rows.extend(keys(layout));
    rows.extend(holds(layout));
    rows.extend(access());
    rows
}

fn row(name: &str, hand: Hand, then: Then) -> Row {
    Row { name: name.to_owned(), asked: None, hand, then }
}

fn config(edit: impl Fn(&Before) -> Vec<u8> + 'static) -> Hand {
    Hand::Config(Box::new(edit))
}

fn mended(kind: &'static str, keys: &[&'static str], author: &'static str) -> Then {
    Then::Mended { kind, keys: keys.to_vec(), author }
}

/// Who has written what our own code writes: of 3.x nobody can tell.
fn by_our_order(layout: Layout) -> &'static str {
    if layout == V2 { "command" } else { "unknown" }
}

fn unreadable(layout: Layout) -> Vec<Row> {
    let broken = || mended("broken", &[], "unknown");
    let cut = |share: usize| {
        config(move |before| {
            // The number of items, without which no config can be used, is behind each place.
            let end = before.config.find("shardingTotalCount").unwrap() * share / 100;
            before.config.as_bytes()[..end.max(1)].to_vec()
        })
    };
    let mut rows = vec![
        row("missing", Hand::Nodes(vec![(Key::Config, None)]), mended("missing", &[], "unknown")),
        row("gone", Hand::Nodes(vec![(Key::Job, None)]), mended("missing", &[], "unknown")),
        row("empty", config(|_| Vec::new()), broken()),
        row("cut-at-once", cut(0), broken()),
        row("cut-early", cut(50), broken()),
        row("cut-late", cut(100), broken()),
        row("binary", config(|_| (0..=255).collect()), broken()),
        row("huge", Hand::Huge(|_| "x".repeat(900_000)), broken()),
        row(
            "other-name",
            config(|before| before.config.replace("other-name", "another").into_bytes()),
            mended("foreign", &[], by_our_order(layout)),
        ),
        row(
            "other-layout",
            config(|before| {
                let other = if before.layout == V2 { V3 } else { V2 };
                other.write(&before.settings).into_bytes()
            }),
            Then::Told {
                state: "conflict",
                kind: "foreign",
                author: by_our_order(if layout == V2 { V3 } else { V2 }),
            },
        ),
        row(
            "strategy-unknown",
            config(|before| {
                let mut settings = before.settings.clone();
                settings.sharding_strategy = "com.example.Mine".into();
                before.layout.rewrite(before.config.as_bytes(), b"", &settings).into_bytes()
            }),
            mended("broken", &[], by_our_order(layout)),
        ),
    ];
    if layout == V3 {
        let alias = |before: &Before| {
            before.config.replace("jobParameter:", "jobParameter: &a").replace("misfire: true", "misfire: *b")
        };
        rows.push(row("alias-of-nothing", config(move |before| alias(before).into_bytes()), broken()));
    }
    rows
}

fn readable(layout: Layout) -> Vec<Row> {
    let long = |before: &Before| {
        let settings = JobSettings { description: "x".repeat(500_000), ..before.settings.clone() };
        before.layout.rewrite(before.config.as_bytes(), b"", &settings).into_bytes()
    };
    let mut rows = vec![
        row("long", config(long), mended("changed", &["description"], by_our_order(layout))),
        row("blanks", config(|before| format!("{}\n\n", before.config).into_bytes()), Then::Same),
    ];
    let other = "0 0 9 1 1 ? 2099";
    if layout == V2 {
        let class = |before: &Before| before.config.replace("peer.", "elsewhere.").into_bytes();
        rows.extend([
            row("class", config(class), mended("changed", &["elasticJobClass"], "command")),
            row("root", Hand::Nodes(vec![(Key::Job, Some("text"))]), Then::Same),
            row(
                "console",
                config(move |before| console(&before.config, other)),
                mended("changed", &["cron"], "console"),
            ),
            row("console-same", config(|before| console(&before.config, &before.settings.cron)), Then::Same),
            row(
                "duplicate",
                config(move |before| {
                    let open = before.config.strip_suffix('}').unwrap();
                    format!("{open},\"cron\":\"{other}\"}}").into_bytes()
                }),
                mended("changed", &["cron"], "command"),
            ),
            row(
                "huge-key",
                Hand::Huge(|before| {
                    let open = before.config.strip_suffix('}').unwrap();
                    let config = open.replace(&before.settings.cron, "0 0 9 1 1 ? 2099");
                    format!("{config},\"theirs\":\"{}\"}}", "x".repeat(900_000))
                }),
                mended("changed", &["cron"], "command"),
            ),
            row(
                "escaped",
                config(|before| before.config.replace("\"cron\"", "\"cr\\u006fn\"").into_bytes()),
                Then::Same,
            ),
            row(
                "lost-clockwright",
                config(|before| {
                    let mut json: Value = serde_json::from_str(&before.config).unwrap();
                    json.as_object_mut().unwrap().remove("clockwright").unwrap();
                    json.to_string().into_bytes()
                }),
                Then::Restored { kind: "lost" },
            ),
        ]);
    } else {
        let reversed = |before: &Before| {
            // A line that begins with a blank or a dash goes on with the key before it.
            let mut keys: Vec<String> = Vec::new();
            for line in before.config.split_inclusive('\n') {
                match keys.last_mut() {
                    Some(key) if line.starts_with([' ', '-']) => key.push_str(line),
                    _ => keys.push(line.to_owned()),
                }
            }
            keys.reverse();
            keys.concat().into_bytes()
        };
        let duplicate = move |before: &Before| format!("{}cron: {other}\n", before.config).into_bytes();
        let alias = |before: &Before| {
            let anchored = before.config.replace("description: ", "description: &a ");
            let lines = anchored.lines().filter(|line| !line.starts_with("jobParameter:"));
            (lines.collect::<Vec<_>>().join("\n") + "\njobParameter: *a\n").into_bytes()
        };
        rows.extend([
            row(
                "class",
                Hand::Nodes(vec![(Key::Job, Some("elsewhere.Job"))]),
                mended("changed", &["elasticJobClass"], "unknown"),
            ),
            row("console-same", config(reversed), Then::Same),
            // Java reads both; our instances take neither for a config.
            row("duplicate", config(duplicate), mended("broken", &[], "unknown")),
            row("alias", config(alias), mended("broken", &[], "unknown")),
            row(
                "monitor-lost",
                config(|before| before.config.replace("monitorExecution: true\n", "").into_bytes()),
                mended("changed", &["monitorExecution"], "unknown"),
            ),
        ]);
    }
    rows
}

/// As Elastic-Job 2.x's console writes a config.
fn console(config: &str, cron: &str) -> Vec<u8> {
    let json: Value = serde_json::from_str(config).unwrap();
    let keys = [
        "jobName",
        "jobType",
        "jobClass",
        "cron",
        "shardingTotalCount",
        "shardingItemParameters",
        "jobParameter",
        "monitorExecution",
        "streamingProcess",
        "maxTimeDiffSeconds",
        "monitorPort",
        "failover",
        "misfire",
        "jobShardingStrategyClass",
        "description",
        "jobProperties",
        "reconcileIntervalMinutes",
    ];
    let text = |key: &str| match key {
        "cron" => json!(cron),
        "streamingProcess" => json!(false),
        key => json[key].clone(),
    };
    let pairs: Vec<String> = keys.iter().map(|key| format!("\"{key}\":{}", text(key))).collect();
    format!("{{{}}}", pairs.join(",")).into_bytes()
}

/// Each key that a config of the layout has.
fn keys(layout: Layout) -> Vec<Row> {
    let of_layout = if layout == V2 { ("monitorPort", "9999") } else { ("timeZone", "GMT+9:00") };
    let edits = [
        ("cron", "0 0 9 1 1 ? 2099"),
        ("shardingTotalCount", "7"),
        ("shardingItemParameters", "0=z"),
        ("jobParameter", "another"),
        ("failover", "false"),
        ("misfire", "false"),
        ("description", "another"),
        ("monitorExecution", "false"),
        ("maxTimeDiffSeconds", "9"),
        ("jobShardingStrategyType", "ODEVITY"),
        ("reconcileIntervalMinutes", "3"),
        ("disabled", "true"),
        ("overwrite", "true"),
        of_layout,
    ];
    let edit = |(key, text): (&'static str, &'static str)| {
        let hand = config(move |before| {
            let (mut settings, setting) = (before.settings.clone(), find(key).unwrap());
            setting.set(&mut settings, setting.of_text(text).unwrap()).unwrap();
            before.layout.rewrite(before.config.as_bytes(), b"", &settings).into_bytes()
        });
        // Whether an instance replaces what it finds is its own word, and none of the database's.
        let then = match key {
            "overwrite" => Then::Same,
            key => mended("changed", &[key], by_our_order(layout)),
        };
        row(&format!("key-{key}"), hand, then)
    };
    edits.into_iter().map(edit).collect()
}

fn holds(layout: Layout) -> Vec<Row> {
    let host = || Key::Server(HOST.into());
    let asked = |verb, body, row: Row| Row { asked: Some((verb, body)), ..row };
    let is = |key: Key, data, state, hold| Then::Held { node: (key, data), state, hold };
    let stopped_again = |name: &str, nodes| {
        let then = is(host(), Some("DISABLED"), "started", "disable host 10.0.0.1 operator");
        asked("disable", json!({ "host": HOST }), row(name, Hand::Nodes(nodes), then))
    };
    let mut rows = vec![
        stopped_again("host-enabled", vec![(host(), Some(layout.server(false)))]),
        stopped_again("host-gone", vec![(host(), None)]),
        stopped_again("hosts-gone", vec![(Key::Servers, None)]),
        row(
            "host-disabled",
            Hand::Nodes(vec![(host(), Some("DISABLED"))]),
            is(host(), Some("DISABLED"), "stopped", "disable host 10.0.0.1 outside"),
        ),
        asked(
            "items/1/disable",
            json!({}),
            row(
                "item-enabled",
                Hand::Nodes(vec![(Key::Disabled(1), None)]),
                is(Key::Disabled(1), Some(""), "started", "disable item 1 operator"),
            ),
        ),
        asked(
            "items/1/disable",
            json!({}),
            row(
                "items-gone",
                Hand::Nodes(vec![(Key::Items, None)]),
                is(Key::Disabled(1), Some(""), "started", "disable item 1 operator"),
            ),
        ),
        row(
            "item-disabled",
            Hand::Nodes(vec![(Key::Disabled(1), Some(""))]),
            is(Key::Disabled(1), Some(""), "stopped", "disable item 1 outside"),
        ),
        row(
            "paused",
            Hand::Nodes(vec![(Key::Paused, Some("{}"))]),
            is(Key::Paused, Some("{}"), "stopped", "pause job outside"),
        ),
        asked(
            "pause",
            json!({}),
            row(
                "resumed",
                Hand::Nodes(vec![(Key::Paused, None)]),
                is(Key::Paused, None, "started", "pause job operator"),
            ),
        ),
    ];
    rows.push(match layout {
        V2 => stopped_again("host-blank", vec![(host(), Some(""))]),
        // Only the word enables a host of 3.x.
        V3 => row(
            "host-blank",
            Hand::Nodes(vec![(host(), Some(""))]),
            is(host(), Some(""), "stopped", "disable host 10.0.0.1 outside"),
        ),
    });
    rows
}

fn access() -> Vec<Row> {
    let open = "world:anyone:cdrwa";
    // Everybody may read, and only somebody else write; nobody but somebody else may do anything.
    let (foreign, closed) = ("world:anyone:r,digest:else:x:cdrwa", "digest:else:x:cdrwa");
    vec![
        row("access-open", Hand::Access(open), mended("open", &[], "unknown")),
        row("access-foreign", Hand::Access(foreign), mended("denied", &[], "unknown")),
        row(
            "access-closed",
            Hand::Access(closed),
            Then::Told { state: "denied", kind: "denied", author: "unknown" },
        ),
    ]
}

/// The job of a row.
pub(crate) fn name(row: &Row) -> JobName {
    JobName::new(&row.name).unwrap()
}

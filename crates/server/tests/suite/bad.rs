//! What cannot be used is refused with its status and its place, whatever route it is sent to: never taken in part, never an error of the server.
//!
//! The rows are made: each route that takes a body by each body that is none, each address by each name that is none, each list by each page that is
//! none. A route that is added is here by itself.

use crate::stage::{Caller, On, Stage};
use clockwright_server::http::reference::openapi;
use http::Method;
use serde_json::{Value, json};

/// One request, and what is to be answered.
struct Row {
    method: Method,
    path: String,
    kind: Option<&'static str>,
    body: Vec<u8>,
    /// One of these.
    status: &'static [u16],
    /// Where the problem is, or what it is in; `None` where there is no place to name.
    pointer: Option<String>,
    what: String,
}

const JSON: Option<&str> = Some("application/json");

/// What a body is called, its content type, itself, and the status and the place that are to be answered.
type Body = (&'static str, Option<&'static str>, Vec<u8>, &'static [u16], Option<String>);

/// Bodies that no route takes.
fn bodies() -> Vec<Body> {
    let text = |text: &str| text.as_bytes().to_vec();
    let place = |pointer: &str| Some(pointer.to_owned());
    vec![
        ("nothing", JSON, Vec::new(), &[400], place("")),
        ("null", JSON, text("null"), &[422], place("")),
        ("a list", JSON, text("[]"), &[422], place("")),
        ("a text", JSON, text("\"x\""), &[422], place("")),
        ("a number", JSON, text("-0"), &[422], place("")),
        ("an unknown key", JSON, text("{\"nobodyKnowsThis\": 1}"), &[400], place("/nobodyKnowsThis")),
        ("a key twice", JSON, text("{\"a\": 1, \"a\": 2}"), &[400], place("")),
        ("a number that is too large", JSON, text("{\"a\": 1e400}"), &[400], place("")),
        ("no number", JSON, text("{\"a\": NaN}"), &[400], place("")),
        ("half a body", JSON, text("{\"a\": "), &[400], place("")),
        ("more than a body", JSON, text("{} {}"), &[400], place("")),
        ("a mark of byte order", JSON, text("\u{feff}{}"), &[400], place("")),
        ("bytes that are no text", JSON, b"{\"a\": \"\xff\"}".to_vec(), &[400], place("")),
        ("half a surrogate", JSON, text("{\"a\": \"\\ud800\"}"), &[400], place("")),
        ("a zero byte", JSON, b"\0".to_vec(), &[400], place("")),
        ("ten thousand brackets", JSON, text(&"[".repeat(10_000)), &[400], None),
        ("two megabytes", JSON, vec![b' '; 2 << 20], &[413], None),
        ("plain text", Some("text/plain"), text("{}"), &[415], None),
        ("a form", Some("application/x-www-form-urlencoded"), text("a=1"), &[415], None),
        ("something without a type", None, text("{}"), &[415], None),
    ]
}

/// Names that nothing has, as they stand in an address.
const NAMES: &[&str] = &[
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "%ff",
    "con",
    "a%0d%0ax",
    "%e2%80%ae",
    "%e2%80%8b",
    "1%27%20OR%20%271%27=%271",
    "$%7Bjndi:x%7D",
    "%3Cscript%3E",
    "%7B%7B7*7%7D%7D",
    "%d0%b0dmin",
    ".",
    "",
    "%2f",
    "9223372036854775808",
    "-1",
];

/// Pages that no list has.
const PAGES: &[(&str, &[u16])] = &[
    ("limit=0", &[422]),
    ("limit=-1", &[422]),
    ("limit=1000000000", &[422]),
    ("limit=x", &[422]),
    ("limit=1&limit=2", &[400]),
    ("limit=18446744073709551616", &[422]),
    ("nobodyKnowsThis=1", &[400]),
];

/// Orders that no list has.
const SORTS: &[&str] =
    &["sort=nobodyKnowsThis", "sort=name%3BDROP%20TABLE%20x", "sort=name%20desc%2C%201", "sort="];

/// Bodies that miss what they are to have, and properties of another kind, or out of any range: by the route's own schema.
fn wrong_kinds(document: &Value, schema: &Value) -> Vec<Body> {
    let named = |schema: &Value| {
        let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        name.map_or_else(|| schema.clone(), |name| document["components"]["schemas"][name].clone())
    };
    let schema = named(schema);
    let mut bodies: Vec<Body> = Vec::new();
    if schema["required"].is_array() {
        bodies.push(("an empty object", JSON, b"{}".to_vec(), &[422], Some(String::new())));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let property = named(property);
        let is = |kind: &str| {
            property["type"] == kind
                || property["type"].as_array().is_some_and(|all| all.contains(&json!(kind)))
        };
        let here = || Some(format!("/{name}"));
        let of = |value: &str| format!("{{\"{name}\": {value}}}").into_bytes();
        if is("string") || is("boolean") {
            bodies.push(("a list for a word", JSON, of("[[]]"), &[422], here()));
            bodies.push(("a number for a word", JSON, of("18446744073709551616"), &[422], here()));
        }
        if is("integer") {
            for value in ["\"1\"", "1.5", "-9223372036854775809", "18446744073709551616"] {
                bodies.push(("no such number", JSON, of(value), &[422], here()));
            }
        }
        if is("array") || is("object") {
            bodies.push(("a word for a list", JSON, of("\"\\u0000\""), &[422], here()));
        }
        bodies.push(("a hundred thousand nines", JSON, of(&"9".repeat(100_000)), &[400, 422], None));
    }
    bodies
}

fn rows() -> Vec<Row> {
    let document: Value = serde_json::from_str(openapi()).unwrap();
    let mut rows = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let here = fill(path, "billing", "none");
            if let Some(content) = operation["requestBody"]["content"].get("application/json") {
                let all = bodies().into_iter().chain(wrong_kinds(&document, &content["schema"]));
                for (what, kind, body, status, pointer) in all {
                    // Why settings cannot be used is what it answers.
                    if path.ends_with("/preview") && what == "a word for a list" {
                        continue;
                    }
                    // A job without a name is told of that first.
                    let is_nameless = path.ends_with("/jobs") && what == "a word for a list";
                    let pointer = pointer.filter(|_| !is_nameless);
                    let what = format!("{method} {path}: {what}");
                    rows.push(Row {
                        method: method.clone(),
                        path: here.clone(),
                        kind,
                        body,
                        status,
                        pointer,
                        what,
                    });
                }
            }
            if method != Method::GET {
                continue;
            }
            let asked = |path: String, status, what| Row {
                method: Method::GET,
                path,
                kind: None,
                body: Vec::new(),
                status,
                pointer: None,
                what,
            };
            if path.contains('{') {
                let long = "n".repeat(300);
                for name in NAMES.iter().copied().chain([long.as_str()]) {
                    rows.push(asked(fill(path, name, name), &[400, 404], format!("{path}: `{name}`")));
                }
            }
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            if parameters.iter().any(|parameter| parameter["name"] == "sort") {
                for sort in SORTS {
                    rows.push(asked(format!("{here}?{sort}"), &[400, 422], format!("{path}?{sort}")));
                }
            }
            if parameters.iter().any(|parameter| parameter["name"] == "limit") {
                for (page, status) in PAGES {
                    rows.push(asked(format!("{here}?{page}"), status, format!("{path}?{page}")));
                }
            }
        }
    }
    rows
}

pub(crate) fn fill(path: &str, project: &str, other: &str) -> String {
    let path = path.replace("{project}", project);
    let path = if project == "billing" {
        path.replace("{job}", "report")
            .replace("{n}", "1")
            .replace("{m}", "1")
            .replace("{i}", "0")
            .replace("{at}", "1")
    } else {
        path
    };
    let path = path.replace("{kind}", if project == "billing" { "user" } else { other });
    path.split('/').map(|part| if part.starts_with('{') { other } else { part }).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn s37_what_cannot_be_used_is_refused_with_its_place_and_tells_nothing_of_the_server() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let settings = json!({ "elasticJobType": "SCRIPT", "cron": "0 0 3 * * ?", "props": { "script.command.line": "true" } });
    stage
        .post(&root, "/projects/billing/jobs", json!({ "name": "report", "settings": settings }))
        .await
        .is(201);
    let rows = rows();
    let (mut wrong, mut placed) = (Vec::new(), 0);
    for row in &rows {
        stage.pass(200);
        let root: Caller = root.at(1);
        let (status, body) =
            stage.look(&root, row.method.clone(), &row.path, Some((row.kind, row.body.clone()))).await;
        let pointer = body["errors"][0]["pointer"].as_str();
        let text = body.to_string();
        let tells = ["/src/", "SELECT", "panicked", "sqlite", "127.0.0.1", "stack backtrace"]
            .iter()
            .find(|word| text.contains(**word));
        placed += usize::from((400..500).contains(&status) && pointer.is_some());
        let is_within = |wanted: &String| match pointer {
            Some(there) => there == wanted || (!wanted.is_empty() && there.starts_with(wanted.as_str())),
            None => false,
        };
        let fits = row.status.contains(&status) && row.pointer.as_ref().is_none_or(is_within);
        if !fits || tells.is_some() || body["code"].as_str().is_none() {
            wrong.push(format!(
                "{}: {status} {pointer:?} {tells:?} {}, not {:?} {:?}",
                row.what, body["code"], row.status, row.pointer
            ));
        }
    }
    let shown: Vec<&String> = wrong.iter().take(60).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{shown:#?}", wrong.len(), rows.len());
    assert!(placed >= 250, "{placed} of {} bad inputs are refused with a place", rows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_addresses_that_nobody_has_and_bodies_that_are_packed_are_refused() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    for (method, path, status) in [
        ("BREW", "/api/v1/projects", 405),
        ("TRACE", "/api/v1/projects", 405),
        ("get", "/api/v1/projects", 405),
        ("GET", "//api/v1/projects", 404),
        ("GET", "/api/./v1/projects", 404),
        ("GET", "/api/v1/projects/", 404),
        ("GET", "/api/v1/../../livez", 404),
        ("GET", "/API/V1/PROJECTS", 404),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (got, body) = stage.look(&root, method.clone(), path, None).await;
        assert_eq!(got, status, "{method} {path}: {body}");
    }
    // What would be a gigabyte is never unpacked.
    let packed = root.with("content-encoding", "gzip");
    let body = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
    let (got, body) = stage.look(&packed, Method::POST, "/api/v1/projects", Some((JSON, body))).await;
    assert!([400, 415].contains(&got), "{got} {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_no_get_changes_anything() {
    let stage = Stage::new(On::Sqlite).await;
    let root = stage.admin().await;
    let before = stage.app.store.head().await.unwrap();
    for path in paths() {
        stage.pass(100);
        stage.response(&root, Method::GET, &fill(&path, "billing", "none"), None).await;
    }
    assert_eq!(stage.app.store.head().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_no_page_of_another_site_is_let_read() {
    let stage = Stage::new(On::Sqlite).await;
    let foreign = stage.admin().await.with("origin", "https://evil.example.com");
    for path in paths() {
        for (method, status) in [(Method::OPTIONS, Some(405)), (Method::GET, None)] {
            stage.pass(100);
            let response = stage.response(&foreign, method, &fill(&path, "billing", "none"), None).await;
            let cross = response.headers().keys().any(|name| name.as_str().starts_with("access-control-"));
            let fits = status.is_none_or(|status| response.status() == status);
            assert!(!cross && fits, "{path}: {response:?}");
        }
    }
}

/// All addresses of the document.
pub(crate) fn paths() -> Vec<String> {
    let document: Value = serde_json::from_str(openapi()).unwrap();
    document["paths"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn s20_no_route_takes_an_address_of_a_registry_a_database_an_issuer_or_a_peer() {
    fn walk(json: &Value, found: &mut Vec<String>) {
        match json {
            Value::Object(map) => {
                if let Some(properties) = map.get("properties").and_then(Value::as_object) {
                    found.extend(properties.keys().cloned());
                }
                map.values().for_each(|value| walk(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(openapi()).unwrap();
    let mut names = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let Some(name) = schema.as_str().and_then(|name| name.rsplit('/').next()) else { continue };
            let mut found = Vec::new();
            walk(&document["components"]["schemas"][name], &mut found);
            // Messages go somewhere: to public addresses and those of the operator's list alone, which tests of their own hold.
            found.retain(|key| (name, key.as_str()) != ("ChannelAsk", "url"));
            names.extend(found);
        }
    }
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let lower = name.to_lowercase();
        let is_address = ["url", "address", "endpoint", "connection", "dsn", "issuer"]
            .iter()
            .any(|word| lower.contains(word));
        assert!(!is_address, "`{name}` looks like an address");
    }
}

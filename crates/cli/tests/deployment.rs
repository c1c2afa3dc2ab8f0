//! What runs more than one process: the composed example, nginx before two servers, the chart for Kubernetes. Nothing of it is started here:
//! what names files, options and settings of ours is held against them, and what others read is read.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use clockwright_settings::yaml::{Value, documents};
use common::{Answer, Place};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A value below these keys.
fn at<'a>(value: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().fold(value, |value, key| {
        let Value::Map(entries) = value else { panic!("`{key}` is asked of {value:?}") };
        let entry = entries.iter().find(|entry| entry.key == *key);
        &entry.unwrap_or_else(|| panic!("there is no `{key}` of {keys:?}")).value.value
    })
}

/// The texts of a list.
fn texts(value: &Value) -> Vec<String> {
    let Value::List(items) = value else { panic!("a list was expected, not {value:?}") };
    items.iter().map(|item| text(&item.value)).collect()
}

fn text(value: &Value) -> String {
    let Value::Scalar { text, .. } = value else { panic!("a text was expected, not {value:?}") };
    text.clone()
}

#[test]
fn the_composed_example_names_files_that_are_there_and_options_that_are_known() {
    let compose = yaml(&read("packaging/compose/compose.yaml"));
    let place = Place::new();
    for service in ["server1", "server2", "node1", "node2"] {
        let service = at(&compose, &["services", service]);
        for volume in texts(at(service, &["volumes"])) {
            let file = volume.split(':').next().unwrap().trim_start_matches("./").to_owned();
            let made = ["control.key"].contains(&file.as_str());
            assert!(made || root().join("packaging/compose").join(&file).exists(), "{file}");
        }
        let args = texts(at(service, &["command"]));
        let missing = place.path().join("missing/").display().to_string();
        let args: Vec<String> =
            args.iter().map(|arg| arg.replace("/etc/clockwright/", &format!("{missing}/"))).collect();
        let answer = place.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        // Each is refused for a file alone, which is not there.
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.talk.contains(&missing), "{answer:?}");
    }
    place.write("clockwright.yaml", &read("packaging/compose/clockwright.yaml"));
    let shown = place.run(&["config", "show"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    place.write("jobs.yaml", &read("packaging/compose/jobs.yaml"));
    assert_eq!(place.run(&["verify", "jobs.yaml"]).code, 0);
    let subnet = "172.30.0.0/24";
    assert!(read("packaging/compose/compose.yaml").contains(subnet), "the network of the composed services");
    assert!(shown.out.contains(subnet), "the proxy is believed by it");
}

#[test]
fn nginx_has_nothing_to_say_of_its_configuration() {
    let configuration = read("packaging/compose/nginx.conf");
    for line in ["least_conn;", "proxy_buffering off;", "proxy_next_upstream error timeout;"] {
        assert!(configuration.contains(line), "{line}");
    }
    let Some(nginx) = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists())
    else {
        // Checked where there is one.
        return;
    };
    let place = Place::new();
    let check = |configuration: &str| {
        // The names are those of containers.
        let here = configuration.replace("server1:", "127.0.0.1:").replace("server2:", "127.0.0.2:");
        place.write(
            "nginx.conf",
            &format!("pid {0}/pid; error_log {0}/error.log;\n{here}", place.path().display()),
        );
        let file = place.path().join("nginx.conf");
        let output = Command::new(nginx).arg("-t").arg("-q").arg("-c").arg(file).output().unwrap();
        Answer::of(&output)
    };
    let answer = check(&configuration);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_ne!(
        check(&configuration.replace("least_conn", "least_con")).code,
        0,
        "the check finds what is wrong"
    );
}

/// What a chart's template comes to with the chart's own values, as far as our templates go: conditions hold, loops go round once.
fn rendered(template: &str, values: &Value) -> String {
    let mut out = String::new();
    for line in template.lines() {
        let inner = line.trim();
        if inner.starts_with("{{-") && inner.ends_with("}}") {
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("{{ ") {
            let (expression, behind) = after.split_once(" }}").unwrap_or_else(|| panic!("{line}"));
            out += before;
            out += &evaluated(expression, values);
            rest = behind;
        }
        out += rest;
        out.push('\n');
    }
    out
}

fn evaluated(expression: &str, values: &Value) -> String {
    let (path, pipe) = expression.split_once(" | ").unwrap_or((expression, ""));
    let value = match path {
        ".Release.Name" => "release".to_owned(),
        ".Release.Namespace" => "default".to_owned(),
        "$key" => "key".to_owned(),
        "$value" => "value".to_owned(),
        _ => {
            let keys: Vec<&str> =
                path.strip_prefix(".Values.").unwrap_or_else(|| panic!("{path}")).split('.').collect();
            text(at(values, &keys))
        }
    };
    match pipe {
        "" => value,
        "quote" => serde_json::to_string(&value).unwrap(),
        "sha256sum" => "0".repeat(64),
        default => {
            default.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect()
        }
    }
}

#[test]
fn the_charts_templates_come_to_documents_that_can_be_read() {
    let chart = root().join("packaging/helm/clockwright");
    let values = yaml(&read("packaging/helm/clockwright/values.yaml"));
    let version = format!("appVersion: \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(read("packaging/helm/clockwright/Chart.yaml").contains(&version), "the chart is of this version");
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(chart.join("templates")).unwrap() {
        let path = entry.unwrap().path();
        let template = std::fs::read_to_string(&path).unwrap();
        assert_eq!(template.matches("{{").count(), template.matches("}}").count(), "{}", path.display());
        let opened = template.matches("{{- if ").count() + template.matches("{{- range ").count();
        assert_eq!(opened, template.matches("{{- end }}").count(), "{}", path.display());
        let document = rendered(&template, &values);
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let document = yaml(&document);
            kinds.push(text(at(&document, &["kind"])));
            assert!(text(at(&document, &["metadata", "name"])).ends_with("-clockwright"));
        }
    }
    kinds.sort();
    assert_eq!(
        kinds,
        ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Secret", "Service", "ServiceMonitor"]
    );
    let place = Place::new();
    place.write("clockwright.yaml", &text(at(&values, &["config"])));
    let shown = place.run(&["config", "show"]);
    assert_eq!(shown.code, 0, "the configuration that it comes with can be used: {shown:?}");
}

fn yaml(text: &str) -> Value {
    documents(text).unwrap_or_else(|broken| panic!("{broken:?}\n{text}")).remove(0).value
}

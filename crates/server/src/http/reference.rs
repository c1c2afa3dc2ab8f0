//! Pages of reference that are made from the table of routes and the table of problems, and the document as it is served.

use super::openapi::{Described, document};
use super::routes;
use clockwright_api::{Code, Permission, Role};
use std::fmt::Write;
use std::sync::LazyLock;

/// The document of the interface, as JSON for people to compare.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let (_, rows) = routes::router();
    let document = document(env!("CARGO_PKG_VERSION"), rows);
    // It is plain data.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
});

/// The document of the interface.
#[must_use]
pub fn openapi() -> &'static str {
    &DOCUMENT
}

/// Who may call which route, as Markdown.
#[must_use]
pub fn permissions() -> String {
    let mut page = String::from(
        "# Who may do what\n\n\
         <!-- Made by `clockwright reference permissions`; a test compares it with the code, and another one asks a server every line of it. -->\n\n\
         A role is held on one project or on all. Where somebody may not see a project, whatever is below it is `not-found`; where they may see it and\n\
         not do something, the answer is `not-allowed` and names the role that could. A token has what its scopes and its owner's roles have in common.\n\n\
         ## Permissions\n\n\
         | permission | lets | viewer | operator | developer | projectAdmin | admin |\n|---|---|---|---|---|---|---|\n",
    );
    for permission in Permission::ALL {
        let _ = writeln!(page, "| `{permission}` | {} |{}", permission.means(), marks(Some(*permission)));
    }
    page.push_str(
        "\n`code_edit` of a project gives its developers `job.code`.\n\n\
         ## Routes\n\n\
         *Asked of each row* means: whoever is signed in may ask, and sees or changes what they may.\n\n\
         | route | does | needs | viewer | operator | developer | projectAdmin | admin |\n|---|---|---|---|---|---|---|---|\n",
    );
    let (_, rows) = routes::router();
    for row in &rows {
        let _ = writeln!(
            page,
            "| `{} {}` | {} | {} |{}",
            row.method,
            row.path,
            row.title,
            needs(row),
            marks(row.needs)
        );
    }
    page
}

fn needs(row: &Described) -> String {
    match row.needs {
        None => "nothing".to_owned(),
        Some(permission) if row.asks => format!("`{permission}`, asked of each row"),
        Some(permission) => format!("`{permission}`"),
    }
}

fn marks(needs: Option<Permission>) -> String {
    let may = |role| needs.is_none_or(|permission| permission.comes_with(Some(role)));
    Role::ALL.into_iter().map(|role| if may(role) { " ✓ |" } else { " – |" }).collect()
}

/// All problems, as Markdown.
#[must_use]
pub fn problems() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         <!-- Made by `clockwright reference problems`; a test compares it with the code. -->\n\n\
         Every answer that refuses is `application/problem+json` (RFC 9457). `type` is `/problems/{code}`, `title` what the code means, `detail` what\n\
         happened this time, `instance` the request's id, which the server's log has too; `fix` says what to do, and `errors` what is wrong where in\n\
         a body. A code is never given another meaning.\n\n\
         | code | status | means | what to do |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let _ = writeln!(page, "| `{code}` | {} | {} | {} |", code.status(), code.means(), code.fix());
    }
    page
}

/// The page of one problem.
#[must_use]
pub fn problem(code: Code) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{code}</title>\n<h1>{code}</h1>\n\
         <p>Status {}: {}.</p>\n<p>What to do: {}.</p>\n</html>\n",
        code.status(),
        plain(code.means()),
        plain(code.fix())
    )
}

/// A text between tags.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_reference_are_up_to_date() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
        for (name, page) in [
            ("openapi.json", openapi().to_owned()),
            ("permissions.md", permissions()),
            ("problems.md", problems()),
            ("server-config.md", crate::config::reference()),
        ] {
            let path = format!("{folder}/{name}");
            if std::env::var_os("WRITE_REFERENCE").is_some() {
                std::fs::write(&path, &page).expect("the page is written");
            }
            assert!(
                std::fs::read_to_string(path).unwrap_or_default() == page,
                "docs/reference/{name} is not what the code says: run this test with WRITE_REFERENCE=1, and look at what changes"
            );
        }
    }

    #[test]
    fn the_document_says_for_each_route_which_permission_lets_in_and_by_what() {
        let json: serde_json::Value = serde_json::from_str(openapi()).expect("it is JSON");
        let security = |path: &str, method: &str| json["paths"][path][method]["security"].clone();
        let (_, rows) = routes::router();
        for row in &rows {
            let there = security(row.path, &row.method.as_str().to_ascii_lowercase());
            let expected = match row.needs.map(|needs| needs.to_string()) {
                Some(needs) => serde_json::json!([{ "token": [needs] }, { "session": [needs] }]),
                None => serde_json::json!([]),
            };
            assert_eq!(there, expected, "{} {}", row.method, row.path);
        }
        for way in ["token", "session"] {
            assert!(json["components"]["securitySchemes"][way]["type"].is_string(), "{way}");
        }
        assert_eq!(security("/livez", "get"), serde_json::json!([]));
        assert_eq!(security("/metrics", "get")[0]["token"], serde_json::json!(["metrics.read"]));
    }

    #[test]
    fn the_document_names_only_problems_that_are_known() {
        let json: serde_json::Value = serde_json::from_str(openapi()).expect("it is JSON");
        for (path, item) in json["paths"].as_object().expect("it has paths") {
            for (method, operation) in item.as_object().expect("it has operations") {
                let answers = operation["responses"].as_object().expect("it answers");
                for (status, answer) in
                    answers.iter().filter(|(status, _)| !status.starts_with('2') && !status.starts_with('3'))
                {
                    let codes = answer["description"].as_str().unwrap_or_default();
                    let codes = codes.split_once("; ").map_or(codes, |(codes, _)| codes);
                    for code in codes.split(", ").map(|code| code.trim_matches('`')) {
                        let known = Code::named(code).map(|code| code.status().to_string());
                        assert_eq!(known.as_ref(), Some(status), "{method} {path}: `{code}`");
                    }
                }
            }
        }
    }
}

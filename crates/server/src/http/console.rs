//! The web console: a page and its files, built by `make console` and embedded by `build.rs`.
//!
//! | address | answer |
//! |---|---|
//! | `/assets/…`, `/icon.svg` | the file, as brotli or gzip as the browser takes it; what is in `assets` has its hash in its name and is kept for good |
//! | `/assets/…` that is none | `not-found` |
//! | below `/api/` | never a page |
//! | `/`, and whatever a browser opens as a page | the page, asked about each time |
//!
//! The page's own router knows its addresses, so a link into the console opens cold. Where the server lies below a path of its host (`public_url`), the page
//! says so in `<base href>`, and everything in it is relative to that.

use crate::decide::chain::sha256;
use crate::http::ask::kinds;
use axum::body::Body;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use std::io::Read;

/// A file of the console.
struct File {
    name: &'static str,
    brotli: &'static [u8],
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// What stands in the page where its place is to be.
const BASE: &str = "<base href=\"/\"";
/// What a program says that was built without its console.
const NOT_BUILT: &str = "This program was built without its console: `make console`, then build it again.\n\
                         All that it does is under /api/v1, which /openapi.json describes.\n";

/// The console, as this server serves it.
pub(super) struct Console {
    /// The page with its place, and its tag; nothing where it was not built.
    page: Option<(String, String)>,
    files: &'static [File],
}

impl Console {
    /// What was embedded, for a server that lies at this path of its host: empty, or `/jobs`.
    pub(super) fn built(prefix: &str) -> Self {
        Self::of(PAGE, FILES, prefix)
    }

    fn of(page: Option<&str>, files: &'static [File], prefix: &str) -> Self {
        let page = page.map(|page| {
            let page = page.replacen(BASE, &format!("<base href=\"{prefix}/\""), 1);
            let tag = format!("\"{}\"", &sha256(page.as_bytes())[..16]);
            (page, tag)
        });
        Self { page, files }
    }

    /// The answer to a request that no route takes; nothing where it is not for the console.
    pub(super) fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        if !matches!(*method, Method::GET | Method::HEAD) || path.starts_with("/api/") {
            return None;
        }
        let name = path.trim_start_matches('/');
        if let Ok(index) = self.files.binary_search_by(|file| file.name.cmp(name)) {
            return Some(self.files[index].answer(headers));
        }
        let is_page = path == "/" || wants_page(headers);
        (is_page && !path.starts_with("/assets/")).then(|| self.page(headers))
    }

    fn page(&self, headers: &HeaderMap) -> Response<Body> {
        let Some((page, tag)) = &self.page else {
            let mut response = Response::new(Body::from(NOT_BUILT));
            *response.status_mut() = StatusCode::NOT_FOUND;
            set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
            set(&mut response, CACHE_CONTROL, "no-store");
            return response;
        };
        let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let mut response = if known.is_some_and(|known| known.contains(tag.as_str())) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            let mut response = Response::new(Body::from(page.clone()));
            set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
            response
        };
        set(&mut response, CACHE_CONTROL, "no-cache");
        set(&mut response, VARY, "accept");
        set(&mut response, ETAG, tag);
        response
    }
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let (body, encoding) = if takes(headers, "br") {
            (Body::from(self.brotli), Some("br"))
        } else if takes(headers, "gzip") {
            (Body::from(self.gzip), Some("gzip"))
        } else {
            let mut plain = Vec::new();
            // They are our own bytes; a reader that finds them broken has a broken program.
            let _ = flate2::read::GzDecoder::new(self.gzip).read_to_end(&mut plain);
            (Body::from(plain), None)
        };
        let mut response = Response::new(body);
        set(&mut response, CONTENT_TYPE, kind(self.name));
        let hashed = self.name.starts_with("assets/");
        set(
            &mut response,
            CACHE_CONTROL,
            if hashed { "public, max-age=31536000, immutable" } else { "max-age=3600" },
        );
        set(&mut response, VARY, "accept-encoding");
        if let Some(encoding) = encoding {
            set(&mut response, CONTENT_ENCODING, encoding);
        }
        response
    }
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Does a browser open this as a page?
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kinds(accept).any(|kind| kind == "text/html")
}

/// Does whoever asks take this encoding?
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let given = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(',').any(|one| {
        let (name, rest) = one.split_once(';').unwrap_or((one, ""));
        let refused = rest.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    const HTML: &str =
        "<!doctype html><head><base href=\"/\" /><script src=\"./assets/a-1.js\"></script></head>";

    fn console(prefix: &str) -> Console {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"the script").unwrap();
        let gzip: &'static [u8] = gzip.finish().unwrap().leak();
        let files = vec![
            File { name: "assets/a-1.js", brotli: b"small", gzip },
            File { name: "icon.svg", brotli: b"icon", gzip },
        ];
        Console::of(Some(HTML), files.leak(), prefix)
    }

    fn headers(given: &[(HeaderName, &str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn header(response: &Response<Body>, name: HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    async fn text(response: Response<Body>) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    const PAGE_WANTED: (HeaderName, &str) = (ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");

    #[tokio::test]
    async fn whatever_a_browser_opens_is_the_page_and_is_asked_about_each_time() {
        let console = console("");
        let get =
            |path: &str, given: &[(HeaderName, &str)]| console.answer(&Method::GET, path, &headers(given));
        let asked: [(&str, &[(HeaderName, &str)]); 4] = [
            ("/", &[]),
            ("/", &[(ACCEPT, "*/*")]),
            ("/jobs/billing/report%2Fa?q=x", &[PAGE_WANTED]),
            ("/setup", &[PAGE_WANTED]),
        ];
        for (path, given) in asked {
            let answer = get(path, given).unwrap();
            assert_eq!(header(&answer, CACHE_CONTROL), "no-cache", "{path}");
            assert_eq!(header(&answer, CONTENT_TYPE), "text/html; charset=utf-8");
            let tag = header(&answer, ETAG).to_owned();
            assert_eq!(text(answer).await, HTML);
            let again = get(path, &[PAGE_WANTED, (IF_NONE_MATCH, tag.as_str())]).unwrap();
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        }
    }

    #[test]
    fn what_is_no_page_and_no_file_is_not_the_consoles() {
        let console = console("");
        let none = |method: &Method, path: &str, given: &[(HeaderName, &str)]| {
            console.answer(method, path, &headers(given)).is_none()
        };
        assert!(none(&Method::GET, "/jobs", &[(ACCEPT, "application/json")]));
        assert!(none(&Method::GET, "/jobs", &[]));
        assert!(none(&Method::GET, "/assets/gone-2.js", &[PAGE_WANTED]));
        assert!(none(&Method::GET, "/assets/", &[PAGE_WANTED]));
        assert!(none(&Method::GET, "/assets/../icon.svg", &[PAGE_WANTED]));
        assert!(none(&Method::GET, "/api/v1/nothing", &[PAGE_WANTED]));
        assert!(none(&Method::POST, "/", &[PAGE_WANTED]));
        assert!(none(&Method::POST, "/assets/a-1.js", &[]));
    }

    #[tokio::test]
    async fn files_come_as_the_browser_takes_them_and_are_kept_for_good_where_their_name_has_a_hash() {
        let console = console("");
        for (given, encoding, body) in [
            ("gzip, deflate, br, zstd", "br", Some("small")),
            ("gzip, deflate", "gzip", None),
            ("br;q=0, gzip;q=0.5", "gzip", None),
            ("br;q=0, gzip;q=0", "", Some("the script")),
            ("", "", Some("the script")),
        ] {
            let asked = headers(&[(ACCEPT_ENCODING, given)]);
            let answer = console.answer(&Method::GET, "/assets/a-1.js", &asked).unwrap();
            assert_eq!(header(&answer, CONTENT_ENCODING), encoding, "{given}");
            assert_eq!(header(&answer, CONTENT_TYPE), "text/javascript; charset=utf-8");
            assert_eq!(header(&answer, CACHE_CONTROL), "public, max-age=31536000, immutable");
            assert_eq!(header(&answer, VARY), "accept-encoding");
            if let Some(body) = body {
                assert_eq!(text(answer).await, body, "{given}");
            }
        }
        let icon = console.answer(&Method::GET, "/icon.svg", &HeaderMap::new()).unwrap();
        assert_eq!(header(&icon, CACHE_CONTROL), "max-age=3600");
        assert_eq!(header(&icon, CONTENT_TYPE), "image/svg+xml");
    }

    #[tokio::test]
    async fn below_a_path_of_its_host_the_page_says_where_it_lies() {
        let answer = console("/tools/jobs").answer(&Method::GET, "/", &HeaderMap::new()).unwrap();
        assert!(text(answer).await.contains("<base href=\"/tools/jobs/\" />"));
    }

    #[tokio::test]
    async fn a_program_without_its_console_says_how_to_get_one() {
        let console = Console::of(None, &[], "");
        let answer = console.answer(&Method::GET, "/jobs", &headers(&[PAGE_WANTED])).unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert!(text(answer).await.contains("make console"));
    }

    #[test]
    fn what_was_built_is_whole() {
        let Some(page) = PAGE else { return };
        assert!(page.contains(BASE), "the page has a place for its address");
        let named = page.split('"').filter_map(|part| part.strip_prefix("./"));
        let mut count = 0;
        for name in named {
            assert!(FILES.iter().any(|file| file.name == name), "{name}");
            count += 1;
        }
        assert!(count >= 3, "a script before the first paint, the program, its style sheet");
        assert!(!page.contains("<style") && !page.contains("javascript:"));
        assert!(FILES.windows(2).all(|pair| pair[0].name < pair[1].name), "they are found by halves");
    }
}

//! Jobs files as they come in: YAML, or a form of several files.

use crate::http::ask::Ask;
use crate::http::openapi::Operation;
use crate::http::parts::Part;
use crate::http::refusal::Answered;
use axum::body::Bytes;
use clockwright_api::plan::JobsFiles;
use clockwright_api::{Code, Problem};

/// The most bytes of one request.
const LARGEST: usize = 16 << 20;
/// The most files of one request.
const MOST: usize = 1_000;
/// What a body of YAML may be called.
const YAML: [&str; 4] = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];
const FORM: &str = "multipart/form-data";

/// Jobs files, not read yet.
#[derive(Debug)]
pub struct Files {
    /// What stands between the parts of a form; absent for YAML alone.
    boundary: Option<String>,
    body: Bytes,
}

/// A jobs file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// As messages call it.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Part for Files {
    fn read(ask: &Ask) -> Answered<Self> {
        let kind = ask.content_type();
        let body = ask.body.clone();
        if YAML.contains(&kind.as_str()) {
            return Ok(Self { boundary: None, body });
        }
        if kind == FORM {
            let whole = ask.header(http::header::CONTENT_TYPE).unwrap_or_default();
            let boundary = multer::parse_boundary(whole).map_err(|error| {
                Problem::new(Code::BadRequest, format!("the form has no boundary: {error}"))
            })?;
            return Ok(Self { boundary: Some(boundary), body });
        }
        let detail = if kind.is_empty() {
            "the body has no content type".to_owned()
        } else {
            format!("the body is `{kind}`")
        };
        let problem = Problem::new(Code::UnsupportedType, detail).with("takes", ["application/yaml", FORM]);
        Err(problem.fix("send application/yaml, or multipart/form-data with a file a part").into())
    }

    fn describe(operation: &mut Operation) {
        operation.takes::<JobsFiles>("application/yaml");
        operation.takes_at_most(LARGEST);
    }
}

impl Files {
    /// The files, as texts.
    ///
    /// # Errors
    /// A form that is cut off, too many files, a file that is no UTF-8.
    pub async fn texts(self) -> Answered<Vec<File>> {
        let Self { boundary: Some(boundary), body } = self else {
            return Ok(vec![text("the file".to_owned(), &self.body)?]);
        };
        let stream = futures::stream::iter([Ok::<_, std::convert::Infallible>(body)]);
        let mut form = multer::Multipart::new(stream, boundary);
        let mut files = Vec::new();
        while let Some(field) = form.next_field().await.map_err(broken)? {
            if files.len() == MOST {
                let detail = format!("the form has more than {MOST} files");
                return Err(Problem::new(Code::TooLarge, detail).with("limit", MOST).into());
            }
            let name = field.file_name().or(field.name()).map(str::to_owned);
            let name = name.unwrap_or_else(|| format!("file {}", files.len() + 1));
            files.push(text(name, &field.bytes().await.map_err(broken)?)?);
        }
        Ok(files)
    }
}

fn broken(error: multer::Error) -> Problem {
    Problem::new(Code::BadRequest, format!("the form cannot be read: {error}"))
}

fn text(name: String, bytes: &[u8]) -> Answered<File> {
    let no_text = || Problem::new(Code::BadYaml, format!("{name} is not UTF-8 text"));
    let text = std::str::from_utf8(bytes).map_err(|_| no_text())?.to_owned();
    Ok(File { name, text })
}

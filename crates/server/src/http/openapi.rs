//! The document of the interface, made from the handlers' own types: what a handler takes and answers is what the document says.

use clockwright_api::permission::Permission;
use clockwright_api::problem::{Code, ProblemBody};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, Schema};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Content, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, Required,
    ResponseBuilder, Type,
};
use utoipa::{IntoParams, ToSchema};

/// The largest body that an operation takes unless it says more, bytes.
const LARGEST: usize = 1 << 20;

/// The schemas that operations name.
type Schemas = BTreeMap<String, RefOr<Schema>>;

/// What the document says of one operation.
#[derive(Default)]
pub struct Operation {
    parameters: Vec<Parameter>,
    body: Option<(String, String)>,
    answers: Vec<(u16, String, Option<String>)>,
    codes: BTreeSet<Code>,
    schemas: Schemas,
    largest: Option<usize>,
}

impl Operation {
    /// It takes a body.
    pub fn takes<T: ToSchema>(&mut self, content: &str) {
        let name = self.schema::<T>();
        self.body = Some((content.to_owned(), name));
    }

    /// Its body may have so many bytes.
    pub fn takes_at_most(&mut self, bytes: usize) {
        self.largest = Some(bytes);
    }

    /// How many bytes its body may have.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.largest.unwrap_or(LARGEST)
    }

    /// It answers a body.
    pub fn answers<T: ToSchema>(&mut self, status: u16, text: &str) {
        let name = self.schema::<T>();
        self.answers.push((status, text.to_owned(), Some(name)));
    }

    /// It answers a jobs file.
    pub fn answers_yaml(&mut self, text: &str) {
        self.answers.push((200, format!("`application/yaml`: {text}"), None));
    }

    /// It answers events of forms that it [knows](Self::knows).
    pub fn answers_events(&mut self, text: &str) {
        self.answers.push((200, format!("`text/event-stream`: {text}"), None));
    }

    /// The document has this form, although no body is of it alone.
    pub fn knows<T: ToSchema>(&mut self) {
        self.schema::<T>();
    }

    /// It answers without a body.
    pub fn answers_nothing(&mut self, status: u16, text: &str) {
        self.answers.push((status, text.to_owned(), None));
    }

    /// It takes parameters.
    pub fn parameters<T: IntoParams>(&mut self) {
        self.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
    }

    /// It takes a header.
    pub fn header(&mut self, name: &str, text: &str, required: bool) {
        self.parameters.push(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(if required { Required::True } else { Required::False })
                .description(Some(text))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                .build(),
        );
    }

    /// It refuses with these codes, besides those that any operation may.
    pub fn refuses(&mut self, codes: &[Code]) {
        self.codes.extend(codes);
    }

    /// The names of the parameters behind the `?`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let queries = self.parameters.iter().filter(|parameter| parameter.parameter_in == ParameterIn::Query);
        queries.map(|parameter| parameter.name.clone()).collect()
    }

    fn schema<T: ToSchema>(&mut self) -> String {
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        let name = T::name().into_owned();
        inner.push((name.clone(), T::schema()));
        add(&mut self.schemas, inner);
        name
    }
}

/// One row of the table of routes, as the document shows it.
pub struct Described {
    /// The method.
    pub method: http::Method,
    /// The pattern of the address.
    pub path: &'static str,
    /// What it does, in a line.
    pub title: &'static str,
    /// What it needs; `None` for nothing.
    pub needs: Option<Permission>,
    /// True where it is asked of each row, and not before.
    pub asks: bool,
    /// The rest.
    pub operation: Operation,
}

/// Two types of one name would be one form in the document, and it would be wrong about one of them.
fn add(schemas: &mut Schemas, more: impl IntoIterator<Item = (String, RefOr<Schema>)>) {
    for (name, schema) in more {
        let there = schemas.get(&name);
        assert!(
            there.is_none_or(|there| *there == schema),
            "two types that routes take or answer are called `{name}`"
        );
        schemas.insert(name, schema);
    }
}

/// The document.
///
/// # Panics
/// When two types of one name differ.
#[must_use]
pub fn document(version: &str, rows: Vec<Described>) -> OpenApi {
    let mut schemas = Schemas::new();
    let mut problem = Operation::default();
    let problem_name = problem.schema::<ProblemBody>();
    add(&mut schemas, problem.schemas);
    let mut paths: BTreeMap<&'static str, PathItem> = BTreeMap::new();
    for mut row in rows {
        add(&mut schemas, std::mem::take(&mut row.operation.schemas));
        let method = method(&row.method);
        let operation = operation(row.path, &row, &problem_name);
        let item = PathItem::new(method, operation);
        match paths.get_mut(row.path) {
            Some(there) => there.merge_operations(item),
            None => drop(paths.insert(row.path, item)),
        }
    }
    let mut all = Paths::new();
    all.paths.extend(paths.into_iter().map(|(path, item)| (path.to_owned(), item)));
    let proofs =
        ComponentsBuilder::new().security_scheme(TOKEN, by_token()).security_scheme(SESSION, by_session());
    let components =
        schemas.into_iter().fold(proofs, |components, (name, schema)| components.schema(name, schema));
    let info = InfoBuilder::new().title("Clockwright").version(version).description(Some(
        "Every answer that refuses is an RFC 9457 problem with a code of the page of problems. Times are RFC 3339 in UTC.",
    ));
    OpenApiBuilder::new().info(info.build()).paths(all).components(Some(components.build())).build()
}

fn operation(path: &str, row: &Described, problem: &str) -> OperationBuilder {
    let needs = row.needs.map_or("nothing".to_owned(), |permission| format!("`{permission}`"));
    let mut built = OperationBuilder::new()
        .summary(Some(row.title))
        .description(Some(format!("Needs {needs}.")))
        .operation_id(Some(id(&row.method, path)))
        .securities(Some(proofs(row)));
    for name in names(path) {
        let schema = ObjectBuilder::new().schema_type(Type::String);
        let parameter =
            ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        built = built.parameter(parameter.schema(Some(schema)));
    }
    for parameter in &row.operation.parameters {
        built = built.parameter(parameter.clone());
    }
    if let Some((content, schema)) = &row.operation.body {
        let content_of = Content::new(Some(Ref::from_schema_name(schema)));
        built = built.request_body(Some(
            RequestBodyBuilder::new().content(content, content_of).required(Some(Required::True)).build(),
        ));
    }
    let mut refusals = refusals(row);
    for (status, text, schema) in &row.operation.answers {
        let response = ResponseBuilder::new().description(text);
        let response = match schema {
            Some(schema) => {
                response.content("application/json", Content::new(Some(Ref::from_schema_name(schema))))
            }
            None => response,
        };
        // One status may be an answer and a refusal: it has both forms.
        let response = match refusals.remove(status) {
            Some(codes) => {
                let (told, content) = refusal(&codes, problem);
                response.description(format!("{told}; {text}")).content(PROBLEM, content)
            }
            None => response,
        };
        built = built.response(status.to_string(), response.build());
    }
    for (status, codes) in refusals {
        let (told, content) = refusal(&codes, problem);
        let response = ResponseBuilder::new().description(told).content(PROBLEM, content);
        built = built.response(status.to_string(), response.build());
    }
    built
}

/// How the document calls the ways in.
const TOKEN: &str = "token";
const SESSION: &str = "session";

fn by_token() -> SecurityScheme {
    let text = "The secret of an API token. It gives what its scopes say, and never more than its owner has.";
    let http =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("cwt_…").description(Some(text));
    SecurityScheme::Http(http.build())
}

fn by_session() -> SecurityScheme {
    let text = "The cookie of somebody who signed in; `clockwright-http` where the server is reached without TLS. What changes something comes from \
                the server's own pages: with `Sec-Fetch-Site: same-origin`, or with its own `Origin`, and with `Clockwright-Request: 1` or a body of JSON.";
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description("__Host-clockwright", text)))
}

/// By what it lets somebody in, each with the permission that it needs; nothing where it is open to everybody.
fn proofs(row: &Described) -> Vec<SecurityRequirement> {
    let needs = row.needs.map(|permission| permission.to_string());
    needs.map_or_else(Vec::new, |needs| {
        [TOKEN, SESSION].map(|way| SecurityRequirement::new(way, [needs.as_str()])).into()
    })
}

/// Which statuses it may refuse with, and the codes of each.
fn refusals(row: &Described) -> BTreeMap<u16, BTreeSet<Code>> {
    let any = [
        Code::BadRequest,
        Code::UnknownParameter,
        Code::MethodNotAllowed,
        Code::NotFound,
        Code::NotAcceptable,
        Code::RateLimited,
        Code::Internal,
        Code::Starting,
        Code::Busy,
        Code::DatabaseAway,
        Code::Behind,
    ];
    let signed_in: &[Code] = if row.needs.is_some() {
        &[Code::NotSignedIn, Code::SessionOver, Code::TokenExpired, Code::NotAllowed]
    } else {
        &[]
    };
    let body: &[Code] = if row.operation.body.is_some() {
        &[
            Code::BadJson,
            Code::UnknownField,
            Code::TooDeep,
            Code::TooLarge,
            Code::UnsupportedType,
            Code::Invalid,
        ]
    } else {
        &[]
    };
    let change: &[Code] = if row.method == http::Method::GET {
        &[]
    } else {
        &[
            Code::CrossSite,
            Code::StepUpNeeded,
            Code::VersionConflict,
            Code::PreconditionRequired,
            Code::IdempotencyMismatch,
            Code::RequestInProgress,
            Code::UnknownOutcome,
            Code::Invalid,
            Code::TooLarge,
            Code::UnsupportedType,
        ]
    };
    let mut all: BTreeMap<u16, BTreeSet<Code>> = BTreeMap::new();
    for code in any.iter().chain(signed_in).chain(body).chain(change).chain(&row.operation.codes) {
        all.entry(code.status()).or_default().insert(*code);
    }
    all
}

/// The content type of a problem.
const PROBLEM: &str = "application/problem+json";

/// What is told of a refusal, and its form.
fn refusal(codes: &BTreeSet<Code>, problem: &str) -> (String, Content) {
    let names: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    (names.join(", "), Content::new(Some(Ref::from_schema_name(problem))))
}

/// `get_projects_project_jobs`.
fn id(method: &http::Method, path: &str) -> String {
    let words = path
        .trim_start_matches("/api/v1")
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    std::iter::once(method.as_str().to_ascii_lowercase())
        .chain(words.map(str::to_owned))
        .collect::<Vec<_>>()
        .join("_")
}

/// The names in a pattern.
#[must_use]
pub fn names(path: &str) -> Vec<&str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

fn method(method: &http::Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

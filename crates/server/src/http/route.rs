//! The table of routes is made with this: each row is a permission, an address, a title and a handler, and what does not fit together
//! does not compile.
//!
//! ```text
//! routes.get(JobRead, "/api/v1/projects/{project}/jobs", "List a project's jobs", jobs::list);
//!            └ the handler's first argument is Granted<JobRead> or Asking<JobRead>, which only the frame makes
//! ```
//!
//! A route that is read by GET takes a permission that only looks: another one is no [`Looks`]. Router, document, page of permissions and
//! matrix of rights are made from the same rows.
//!
//! A handler that takes its permission fits its row:
//!
//! ```
//! use clockwright_api::permission::kinds::{JobRead, JobWrite};
//! use clockwright_server::app::App;
//! use clockwright_server::http::{answer::Done, grant::Granted, refusal::Answered, route::Routes};
//! use std::sync::Arc;
//!
//! async fn look(_: Arc<App>, _: Granted<JobRead>) -> Answered<Done> { Ok(Done) }
//! async fn change(_: Arc<App>, _: Granted<JobWrite>) -> Answered<Done> { Ok(Done) }
//! Routes::default().get(JobRead, "/look", "Look", look);
//! Routes::default().put(JobWrite, "/change", "Change", change);
//! ```
//!
//! One that takes none does not compile:
//!
//! ```compile_fail,E0277
//! use clockwright_api::permission::kinds::JobRead;
//! use clockwright_server::app::App;
//! use clockwright_server::http::{answer::Done, refusal::Answered, route::Routes};
//! use std::sync::Arc;
//!
//! async fn look(_: Arc<App>) -> Answered<Done> { Ok(Done) }
//! Routes::default().get(JobRead, "/look", "Look", look);
//! ```
//!
//! Neither does one of another permission:
//!
//! ```compile_fail,E0277
//! use clockwright_api::permission::kinds::{JobRead, JobWrite};
//! use clockwright_server::app::App;
//! use clockwright_server::http::{answer::Done, grant::Granted, refusal::Answered, route::Routes};
//! use std::sync::Arc;
//!
//! async fn change(_: Arc<App>, _: Granted<JobWrite>) -> Answered<Done> { Ok(Done) }
//! Routes::default().put(JobRead, "/change", "Change", change);
//! ```
//!
//! Nor does a GET that could change something:
//!
//! ```compile_fail,E0277
//! use clockwright_api::permission::kinds::JobWrite;
//! use clockwright_server::app::App;
//! use clockwright_server::http::{answer::Done, grant::Granted, refusal::Answered, route::Routes};
//! use std::sync::Arc;
//!
//! async fn change(_: Arc<App>, _: Granted<JobWrite>) -> Answered<Done> { Ok(Done) }
//! Routes::default().get(JobWrite, "/change", "Change", change);
//! ```
//!
//! Nor a POST that does something and whose answer is not kept for its request's key, which therefore could do it twice:
//!
//! ```compile_fail,E0277
//! use clockwright_api::permission::kinds::JobWrite;
//! use clockwright_server::app::App;
//! use clockwright_server::http::{answer::Done, grant::Granted, refusal::Answered, route::Routes};
//! use std::sync::Arc;
//!
//! async fn act(_: Arc<App>, _: Granted<JobWrite>) -> Answered<Done> { Ok(Done) }
//! Routes::default().post(JobWrite, "/act", "Act", act);
//! ```

use crate::app::App;
use crate::http::answer::{Kept, Reply};
use crate::http::ask::Ask;
use crate::http::frame::{self, Takes};
use crate::http::grant::{Anyone, Asking, Grant, Granted, Open};
use crate::http::openapi::{Described, Operation};
use crate::http::parts::Part;
use crate::http::refusal::Answered;
use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use axum::routing::{MethodFilter, MethodRouter, on};
use clockwright_api::permission::{Kind, Looks};
use clockwright_api::{Code, Permission, Problem};
use futures::future::BoxFuture;
use http::{Method, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A function that answers a request whose sender was granted `K`.
pub trait Endpoint<K, Args>: Send + Sync + 'static {
    /// What it answers.
    type Out: Reply;
    /// Grants, reads the parts, calls, makes the response.
    fn call(self: Arc<Self>, ask: Ask) -> BoxFuture<'static, Answered<Response<Body>>>;
    /// What the document says of it.
    fn describe(operation: &mut Operation);
    /// The permission that its first argument proves.
    fn needs() -> Option<Permission>;
    /// True where the handler asks it of each row.
    fn asks() -> bool;
}

/// A grant that proves `K`.
pub trait Proves<K>: Grant {}
impl<K: Kind> Proves<K> for Granted<K> {}
impl<K: Kind> Proves<K> for Asking<K> {}
impl Proves<Open> for Anyone {}

macro_rules! endpoint {
    ($($part:ident)*) => {
        impl<F, Fut, K, G, Out, $($part,)*> Endpoint<K, (G, $($part,)*)> for F
        where
            F: Fn(Arc<App>, G, $($part,)*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Answered<Out>> + Send + 'static,
            G: Proves<K> + 'static,
            Out: Reply,
            $($part: Part + 'static,)*
        {
            type Out = Out;

            fn call(self: Arc<Self>, ask: Ask) -> BoxFuture<'static, Answered<Response<Body>>> {
                Box::pin(async move {
                    // Before anything of the request is read, so that who may not learns nothing of what is wrong with it.
                    let grant = G::make(&ask)?;
                    $( #[allow(non_snake_case, reason = "the part of that name")] let $part = $part::read(&ask)?; )*
                    let app = Arc::clone(&ask.app);
                    drop(ask);
                    Ok(self(app, grant, $($part,)*).await?.respond())
                })
            }

            fn describe(operation: &mut Operation) {
                $( $part::describe(operation); )*
                Out::describe(operation);
            }

            fn needs() -> Option<Permission> {
                G::needs()
            }

            fn asks() -> bool {
                G::ASKS
            }
        }
    };
}
endpoint!();
endpoint!(P1);
endpoint!(P1 P2);
endpoint!(P1 P2 P3);
endpoint!(P1 P2 P3 P4);

/// The table in the making.
#[derive(Default)]
pub struct Routes {
    methods: BTreeMap<&'static str, MethodRouter<Arc<App>>>,
    rows: Vec<Described>,
}

impl Routes {
    /// A route that only looks.
    pub fn get<K: Looks, Args: 'static, E: Endpoint<K, Args>>(
        &mut self,
        _: K,
        path: &'static str,
        title: &'static str,
        endpoint: E,
    ) {
        self.add(Method::GET, path, title, endpoint);
    }

    /// A route that makes or does something, once for each key.
    pub fn post<K: Kind, Args: 'static, E: Endpoint<K, Args, Out: Kept>>(
        &mut self,
        _: K,
        path: &'static str,
        title: &'static str,
        endpoint: E,
    ) {
        self.add(Method::POST, path, title, endpoint);
    }

    /// A route that is sent what it is asked about and keeps no answer: it only looks, or whoever asks is not signed in and has no keys.
    pub fn ask<K: Looks, Args: 'static, E: Endpoint<K, Args>>(
        &mut self,
        _: K,
        path: &'static str,
        title: &'static str,
        endpoint: E,
    ) {
        self.add(Method::POST, path, title, endpoint);
    }

    /// A route that puts something in a place.
    pub fn put<K: Kind, Args: 'static, E: Endpoint<K, Args>>(
        &mut self,
        _: K,
        path: &'static str,
        title: &'static str,
        endpoint: E,
    ) {
        self.add(Method::PUT, path, title, endpoint);
    }

    /// A route that changes a part of something.
    pub fn patch<K: Kind, Args: 'static, E: Endpoint<K, Args>>(
        &mut self,
        _: K,
        path: &'static str,
        title: &'static str,
        endpoint: E,
    ) {
        self.add(Method::PATCH, path, title, endpoint);
    }

    /// A route that takes something away.
    pub fn delete<K: Kind, Args: 'static, E: Endpoint<K, Args>>(
        &mut self,
        _: K,
        path: &'static str,
        title: &'static str,
        endpoint: E,
    ) {
        self.add(Method::DELETE, path, title, endpoint);
    }

    /// The last row also refuses with these codes.
    pub fn refuses(&mut self, codes: &[clockwright_api::Code]) {
        if let Some(row) = self.rows.last_mut() {
            row.operation.refuses(codes);
        }
    }

    fn add<K, Args: 'static, E: Endpoint<K, Args>>(
        &mut self,
        method: Method,
        path: &'static str,
        title: &'static str,
        endpoint: E,
    ) where
        K: 'static,
    {
        let mut operation = Operation::default();
        E::describe(&mut operation);
        let takes = Arc::new(Takes { parameters: operation.names(), largest: operation.largest() });
        self.rows.push(Described {
            method: method.clone(),
            path,
            title,
            needs: E::needs(),
            asks: E::asks(),
            operation,
        });
        let endpoint = Arc::new(endpoint);
        let handler = move |state: axum::extract::State<Arc<App>>,
                            names: Result<RawPathParams, RawPathParamsRejection>,
                            request: axum::extract::Request| {
            let (endpoint, takes) = (Arc::clone(&endpoint), Arc::clone(&takes));
            async move {
                let Ok(names) = names else {
                    let problem = Problem::new(Code::BadRequest, "the address has bytes that are no text");
                    return frame::alone(&state.0, problem);
                };
                let names = names.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                frame::serve(state.0, path, names, takes, request, move |ask| endpoint.call(ask)).await
            }
        };
        let there = self.methods.remove(path).unwrap_or_default();
        self.methods.insert(path, there.merge(on(filter(&method), handler)));
    }

    /// The router, and the rows that it was made of.
    pub fn finish(self) -> (Router<Arc<App>>, Vec<Described>) {
        let router = self
            .methods
            .into_iter()
            .fold(Router::new(), |router, (path, methods)| router.route(path, methods));
        (router, self.rows)
    }
}

fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        Method::PATCH => MethodFilter::PATCH,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

//! One page of a list, and how the next one is asked for.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// How many rows a page has at most.
pub const LONGEST: u32 = 1_000;
/// How many rows a page has unless told.
pub const USUAL: u32 = 50;

/// Which page of a list is asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
pub struct Paging {
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The rows, in the order that was asked for.
    pub items: Vec<T>,
    /// What to send as `after` for the next page, unchanged; absent on the last one. It names a place in the order, so it never expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many rows there are on all pages; exact. Absent where counting would read history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The journal number up to which the answer is true.
    pub seq: i64,
}

/// A list that is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

/// What a document says of rows: each row's form by its name.
fn rows<T: ToSchema>() -> ArrayBuilder {
    ArrayBuilder::new().items(Ref::from_schema_name(T::name()))
}

/// The forms that a document of rows needs.
fn forms<T: ToSchema>(forms: &mut Vec<(String, RefOr<Schema>)>) {
    forms.push((T::name().into_owned(), T::schema()));
    T::schemas(forms);
}

// Both have a name of their own for each kind of row, which a derived name has not.
impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("ListOf{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        forms::<T>(schemas);
    }
}

impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        rows::<T>().into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("PageOf{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        forms::<T>(schemas);
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let member = |kind, text| ObjectBuilder::new().schema_type(kind).description(Some(text));
        ObjectBuilder::new()
            .property("items", rows::<T>().description(Some("The rows, in the order that was asked for.")))
            .required("items")
            .property(
                "next",
                member(Type::String, "What to send as `after` for the next page; absent on the last one."),
            )
            .property(
                "count",
                member(
                    Type::Integer,
                    "How many rows there are on all pages; absent where that is not known.",
                ),
            )
            .property("seq", member(Type::Integer, "The journal number up to which the answer is true."))
            .required("seq")
            .into()
    }
}

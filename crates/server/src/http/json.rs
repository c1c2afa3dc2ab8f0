//! JSON as it comes in: refused where a key stands twice, where it is nested too deeply, and where it has a key that nobody reads; every
//! other problem is told with a pointer.

use crate::http::refusal::Answered;
use clockwright_api::{Code, Problem};
use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// How deep a body may be nested.
const DEEPEST: usize = 32;

/// Reads a body.
///
/// # Errors
/// `bad-json`, `too-deep`, `unknown-field` or `invalid`.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Answered<T> {
    let value = strict(body)?;
    if !value.is_object() {
        // A list would be taken for the fields in their order.
        return Err(Problem::new(Code::Invalid, "the body cannot be used")
            .at("", "is to be an object")
            .into());
    }
    let mut track = serde_path_to_error::Track::new();
    let reader = serde_path_to_error::Deserializer::new(value, &mut track);
    T::deserialize(reader).map_err(|error| explain(&pointer(&track.path()), &error.to_string()).into())
}

/// Reads parameters: each value is text, and numbers and truth values are read from it.
///
/// # Errors
/// `unknown-parameter`, `bad-request` or `invalid`.
pub fn parameters<T: DeserializeOwned>(given: &[(String, String)]) -> Answered<T> {
    let mut map = Map::new();
    for (name, value) in given {
        if map.insert(name.clone(), Value::String(value.clone())).is_some() {
            return Err(
                Problem::new(Code::BadRequest, format!("the parameter `{name}` is given twice")).into()
            );
        }
    }
    let mut track = serde_path_to_error::Track::new();
    let texts = Texts(Value::Object(map));
    let reader = serde_path_to_error::Deserializer::new(texts, &mut track);
    T::deserialize(reader).map_err(|error| {
        let problem = explain(&pointer(&track.path()), &error.to_string());
        match problem.kind() {
            Some(Code::UnknownField) => problem.as_code(Code::UnknownParameter),
            _ => problem,
        }
        .into()
    })
}

/// A key as a part of a JSON pointer (RFC 6901).
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
            serde_path_to_error::Segment::Map { key } => {
                format!("/{}", escaped(key))
            }
            serde_path_to_error::Segment::Enum { variant } => format!("/{variant}"),
            serde_path_to_error::Segment::Unknown => String::new(),
        })
        .collect()
}

/// What serde says, as a problem. Its text of an unknown field names the field and those that it knows.
fn explain(pointer: &str, message: &str) -> Problem {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return Problem::new(Code::Invalid, "the body cannot be used").at(pointer, message);
    };
    let mut quoted = rest.split('`');
    let field = quoted.next().unwrap_or_default();
    let known = quoted.skip(1).step_by(2);
    Problem::new(Code::UnknownField, format!("`{field}` is not known here"))
        .at(pointer, message)
        .near(field, known)
}

/// A value in which no key stands twice.
fn strict(body: &[u8]) -> Answered<Value> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut too_deep = false;
    let value = Strict { depth: 0, too_deep: &mut too_deep }.deserialize(&mut reader).and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    value.map_err(|error| {
        if too_deep {
            return Problem::new(Code::TooDeep, format!("the body is nested deeper than {DEEPEST}")).into();
        }
        let message = error.to_string();
        let line = u32::try_from(error.line()).ok();
        let mut problem =
            Problem::new(Code::BadJson, format!("the body is not JSON: {message}")).at("", message);
        if let Some(detail) = problem.errors.last_mut() {
            detail.line = line;
        }
        problem.into()
    })
}

struct Strict<'a> {
    depth: usize,
    too_deep: &'a mut bool,
}

impl Strict<'_> {
    fn inner(&mut self) -> Strict<'_> {
        Strict { depth: self.depth + 1, too_deep: self.too_deep }
    }

    fn deeper<E: de::Error>(&mut self) -> Result<(), E> {
        if self.depth >= DEEPEST {
            *self.too_deep = true;
            return Err(E::custom("it is nested too deeply"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("it is no number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.inner())? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!("the key `{key}` stands twice")));
            }
            let value = access.next_value_seed(self.inner())?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Values that are text, read as whatever is wanted.
struct Texts(Value);

macro_rules! parsed {
    ($($method:ident $visit:ident $kind:ty, $what:literal;)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            let text = self.0.as_str().unwrap_or_default();
            let value = text.parse::<$kind>();
            visitor.$visit(value.map_err(|_| de::Error::custom(format!(concat!("`{}` is no ", $what), text)))?)
        }
    )* };
}

impl<'de> de::Deserializer<'de> for Texts {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(map) => visitor.visit_map(de::value::MapDeserializer::new(
                map.into_iter().map(|(key, value)| (key, Texts(value))),
            )),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    /// A list is words with commas between them.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let text = self.0.as_str().unwrap_or_default();
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let words: Vec<Texts> = words.map(|word| Texts(Value::String(word.to_owned()))).collect();
        visitor.visit_seq(de::value::SeqDeserializer::new(words.into_iter()))
    }

    parsed! {
        deserialize_bool visit_bool bool, "truth value: say `true` or `false`";
        deserialize_i8 visit_i8 i8, "whole number";
        deserialize_i16 visit_i16 i16, "whole number";
        deserialize_i32 visit_i32 i32, "whole number";
        deserialize_i64 visit_i64 i64, "whole number";
        deserialize_u8 visit_u8 u8, "whole number from 0 on";
        deserialize_u16 visit_u16 u16, "whole number from 0 on";
        deserialize_u32 visit_u32 u32, "whole number from 0 on";
        deserialize_u64 visit_u64 u64, "whole number from 0 on";
        deserialize_f64 visit_f64 f64, "number";
    }

    serde::forward_to_deserialize_any! {
        f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> de::IntoDeserializer<'de, serde_json::Error> for Texts {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::refusal::Refusal;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Thing {
        name: String,
        #[serde(default)]
        limit: Option<u32>,
        #[serde(default)]
        tags: Vec<String>,
    }

    fn refused<T: fmt::Debug>(result: Answered<T>) -> Problem {
        match result {
            Err(Refusal::Problem(problem)) => problem,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_wherever_it_is() {
        for body in [r#"{"name": "a", "name": "b"}"#, r#"{"name": "a", "tags": [{"x": 1, "x": 2}]}"#] {
            let problem = refused(read::<Thing>(body.as_bytes()));
            assert_eq!(problem.kind(), Some(Code::BadJson));
            assert!(problem.detail.contains("stands twice"), "{problem}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_with_the_nearest() {
        let problem = refused(read::<Thing>(br#"{"name": "a", "limmit": 3}"#));
        assert_eq!(problem.kind(), Some(Code::UnknownField));
        assert_eq!(problem.fix, "did you mean `limit`?");
    }

    #[test]
    fn a_wrong_value_is_told_with_its_pointer() {
        let problem = refused(read::<Thing>(br#"{"name": "a", "tags": ["x", 3]}"#));
        assert_eq!(problem.kind(), Some(Code::Invalid));
        assert_eq!(problem.errors[0].pointer, "/tags/1");
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_before_it_is_read() {
        let body = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(refused(read::<Value>(body.as_bytes())).kind(), Some(Code::TooDeep));
    }

    #[test]
    fn a_list_is_not_taken_for_the_fields_in_their_order() {
        let problem = refused(read::<Thing>(br#"["a", 3, []]"#));
        assert_eq!((problem.kind(), problem.errors[0].pointer.as_str()), (Some(Code::Invalid), ""));
    }

    #[test]
    fn what_follows_the_body_is_refused() {
        assert_eq!(refused(read::<Value>(b"{} {}")).kind(), Some(Code::BadJson));
        assert_eq!(refused(read::<Value>(b"")).kind(), Some(Code::BadJson));
    }

    #[test]
    fn parameters_are_read_as_what_is_wanted() {
        let given = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let thing: Thing =
            parameters(&given(&[("name", "a"), ("limit", "7"), ("tags", "x, y")])).expect("all is right");
        assert_eq!(thing, Thing { name: "a".into(), limit: Some(7), tags: vec!["x".into(), "y".into()] });
        let problem = refused(parameters::<Thing>(&given(&[("name", "a"), ("limit", "x")])));
        assert_eq!(problem.errors[0].pointer, "/limit");
        let problem = refused(parameters::<Thing>(&given(&[("name", "a"), ("limt", "1")])));
        assert_eq!(problem.kind(), Some(Code::UnknownParameter));
        assert_eq!(
            refused(parameters::<Thing>(&given(&[("name", "a"), ("name", "b")]))).kind(),
            Some(Code::BadRequest)
        );
    }
}

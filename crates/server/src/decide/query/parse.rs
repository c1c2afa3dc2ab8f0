//! The words of a search, read: terms with where they stand, and mistakes with where they are and what would be right.
//!
//! ```text
//! query     = term { space term }                  all must hold
//! term      = [ "-" ] ( qualifier | text )         "-" is not
//! qualifier = name ":" value { "," value }         any of the values
//! value     = word | '"' letters '"' | op amount | amount ".." amount | word "*"
//! amount    = number [ unit ] | "p50" | "p95"      op = "<" "<=" ">" ">="; unit = ms s m h d w
//! text      = word | '"' letters '"'               contained, without regard to case
//! ```
//!
//! What stands in quotes is taken as it is, whatever it looks like. A name is made of small letters, so `12:30` is a text. A mistake takes its own term out of the
//! search and no other one, so that whoever types sees what the rest finds. Places are counted in characters. `corpus.json` has searches with what is
//! read from them, for every reader of this grammar.

use super::table::{Of, QUALIFIERS, Qualifier, Takes, What};
use clockwright_model::{Millis, nearest};
use serde::Serialize;
use std::ops::Range;

/// A search, read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Parsed {
    /// All of these must hold.
    pub terms: Vec<Term>,
    /// What cannot be understood.
    pub mistakes: Vec<Mistake>,
}

/// One term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Term {
    /// Where it stands, in characters.
    pub at: Range<usize>,
    /// It must not hold.
    pub not: bool,
    /// What it is about.
    #[serde(serialize_with = "name")]
    pub what: What,
    /// Any of these.
    pub values: Vec<Value>,
}

/// A value of a term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Value {
    /// This text, in small letters.
    Is(String),
    /// What begins so, in small letters.
    Begins(String),
    /// An amount that is so compared with this one: a number, or milliseconds.
    Amount(Op, Millis),
    /// An amount between these two, both included.
    Between(Millis, Millis),
    /// A time that is so compared with the usual one.
    Usual(Op, Percent),
}

/// How an amount is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Op {
    /// It is less.
    #[serde(rename = "<")]
    Below,
    /// It is no more.
    #[serde(rename = "<=")]
    AtMost,
    /// It is more.
    #[serde(rename = ">")]
    Above,
    /// It is no less.
    #[serde(rename = ">=")]
    AtLeast,
    /// It is the same.
    #[serde(rename = "=")]
    Equal,
}

/// How long an item usually takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Percent {
    /// Half of its successes take no longer.
    #[serde(rename = "p50")]
    P50,
    /// Nineteen of twenty take no longer.
    #[serde(rename = "p95")]
    P95,
}

/// Something that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Where it is, in characters.
    pub at: Range<usize>,
    /// What stands there.
    pub text: String,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

fn name<S: serde::Serializer>(what: &What, serializer: S) -> Result<S::Ok, S::Error> {
    let row = QUALIFIERS.iter().find(|row| row.what == *what);
    serializer.serialize_str(row.map_or("text", |row| row.name))
}

impl Op {
    /// Does it hold of an amount?
    #[must_use]
    pub fn holds(self, amount: Millis, bound: Millis) -> bool {
        match self {
            Op::Below => amount < bound,
            Op::AtMost => amount <= bound,
            Op::Above => amount > bound,
            Op::AtLeast => amount >= bound,
            Op::Equal => amount == bound,
        }
    }

    /// What a text begins with, and the rest of it.
    fn split(text: &str) -> Option<(Self, &str)> {
        [("<=", Op::AtMost), (">=", Op::AtLeast), ("<", Op::Below), (">", Op::Above)]
            .into_iter()
            .find_map(|(word, op)| Some((op, text.strip_prefix(word)?)))
    }
}

/// One character of a search.
#[derive(Clone, Copy)]
struct Letter {
    letter: char,
    is_quoted: bool,
    at: usize,
}

impl Letter {
    fn is(self, letter: char) -> bool {
        self.letter == letter && !self.is_quoted
    }
}

/// Letters without a space between them, the quotes left out.
struct Word {
    at: Range<usize>,
    letters: Vec<Letter>,
    /// Where a quote began that is never closed.
    open: Option<usize>,
}

fn text(letters: &[Letter]) -> String {
    letters.iter().map(|letter| letter.letter).collect()
}

fn words(query: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote = None;
    let mut end = 0;
    for (at, letter) in query.chars().enumerate() {
        end = at + 1;
        if letter.is_whitespace() && quote.is_none() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_with(|| Word { at: at..at, letters: Vec::new(), open: None });
        word.at.end = end;
        if letter == '"' {
            quote = if quote.is_some() { None } else { Some(at) };
        } else {
            word.letters.push(Letter { letter, is_quoted: quote.is_some(), at });
        }
    }
    if let Some(word) = &mut word {
        word.open = quote;
        word.at.end = end;
    }
    words.extend(word);
    // Two quotes with nothing between them are no word.
    words.retain(|word| !word.letters.is_empty() || word.open.is_some());
    words
}

/// Reads a search.
#[must_use]
pub fn parse(query: &str, of: Of) -> Parsed {
    let mut parsed = Parsed::default();
    for word in words(query) {
        match term(&word, of) {
            Ok(term) => parsed.terms.push(term),
            Err((at, why)) => {
                let text = query.chars().skip(at.start).take(at.len()).collect();
                parsed.mistakes.push(Mistake { at, text, why });
            }
        }
    }
    parsed
}

/// Where something is wrong, and what.
type Wrong = (Range<usize>, String);

fn term(word: &Word, of: Of) -> Result<Term, Wrong> {
    if let Some(open) = word.open {
        return Err((open..word.at.end, "the quote is not closed".to_owned()));
    }
    let (not, letters) = match &word.letters[..] {
        [first, rest @ ..] if first.is('-') && !rest.is_empty() => (true, rest),
        letters => (false, letters),
    };
    let at = word.at.clone();
    let colon = letters.iter().position(|letter| letter.is(':'));
    let name = colon.map(|colon| &letters[..colon]).filter(|name| {
        let fits = |letter: &Letter| letter.letter.is_alphabetic() && !letter.letter.is_uppercase();
        !name.is_empty() && name.iter().all(|letter| fits(letter) && !letter.is_quoted)
    });
    let (Some(name), Some(colon)) = (name, colon) else {
        let values = vec![Value::Is(text(letters).to_lowercase())];
        return Ok(Term { at, not, what: What::Text, values });
    };
    let row = qualifier(name, of)?;
    let rest = &letters[colon + 1..];
    if rest.is_empty() {
        return Err((at, format!("nothing stands behind the colon: `{}` takes {}", row.name, row.wants())));
    }
    let values = rest.split(|letter| letter.is(','));
    let values = values.map(|letters| value(row, letters).ok_or_else(|| wrong(row, letters, &at)));
    Ok(Term { at: at.clone(), not, what: row.what, values: values.collect::<Result<_, _>>()? })
}

fn qualifier(letters: &[Letter], of: Of) -> Result<&'static Qualifier, Wrong> {
    let name = text(letters);
    let at = letters.first().map_or(0, |letter| letter.at);
    let at = at..at + letters.len();
    let useful = || QUALIFIERS.iter().filter(|row| row.of.contains(&of));
    match Qualifier::named(&name, of) {
        Some(row) if row.of.contains(&of) => Ok(row),
        Some(row) => {
            let (these, those) = match of {
                Of::Jobs => ("jobs", "runs"),
                Of::Runs => ("runs", "jobs"),
            };
            Err((at, format!("`{}:` narrows {those}, and {these} are looked for", row.name)))
        }
        None => {
            let why = match nearest(&name, useful().map(|row| row.name)) {
                Some(near) => format!("`{name}:` is none of the qualifiers; did you mean `{near}:`?"),
                None => {
                    let known: Vec<&str> = useful().map(|row| row.name).collect();
                    format!("`{name}:` is none of the qualifiers: {}", known.join(", "))
                }
            };
            Err((at, why))
        }
    }
}

/// What is wrong with a value.
fn wrong(row: &Qualifier, letters: &[Letter], term: &Range<usize>) -> Wrong {
    let (Some(first), Some(last)) = (letters.first(), letters.last()) else {
        return (term.clone(), "a value is missing beside a comma".to_owned());
    };
    let why = match row.takes {
        Takes::Word(words) => nearest(&text(letters).to_lowercase(), words.iter().copied())
            .map(|near| format!("`{}` takes no `{}`; did you mean `{near}`?", row.name, text(letters))),
        _ => None,
    };
    let why = why.unwrap_or_else(|| format!("`{}` takes {}", row.name, row.wants()));
    (first.at..last.at + 1, why)
}

/// A value of a qualifier, if it can be one.
fn value(row: &Qualifier, letters: &[Letter]) -> Option<Value> {
    let text = text(letters).to_lowercase();
    let is_plain = letters.iter().all(|letter| !letter.is_quoted);
    if text.is_empty() {
        return None;
    }
    match row.takes {
        Takes::Letters => Some(Value::Is(text)),
        Takes::Name => match text.strip_suffix('*') {
            Some(begin) if is_plain => Some(Value::Begins(begin.to_owned())),
            _ => Some(Value::Is(text)),
        },
        Takes::Word(words) => words.contains(&text.as_str()).then_some(Value::Is(text)),
        Takes::Number if is_plain => {
            amount(&text, number).or_else(|| Some(Value::Amount(Op::Equal, number(&text)?)))
        }
        Takes::Time if is_plain => amount(&text, time),
        Takes::Usual if is_plain => usual(&text).or_else(|| amount(&text, time)),
        Takes::Number | Takes::Time | Takes::Usual => None,
    }
}

fn amount(text: &str, read: fn(&str) -> Option<Millis>) -> Option<Value> {
    if let Some((op, rest)) = Op::split(text) {
        return Some(Value::Amount(op, read(rest)?));
    }
    let (from, to) = text.split_once("..")?;
    let (from, to) = (read(from)?, read(to)?);
    (from <= to).then_some(Value::Between(from, to))
}

fn usual(text: &str) -> Option<Value> {
    let (op, rest) = Op::split(text)?;
    match rest {
        "p50" => Some(Value::Usual(op, Percent::P50)),
        "p95" => Some(Value::Usual(op, Percent::P95)),
        _ => None,
    }
}

fn number(text: &str) -> Option<Millis> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse::<u32>().ok())
        .flatten()
        .map(Millis::from)
}

/// A length of time, milliseconds: a number and its unit.
fn time(text: &str) -> Option<Millis> {
    let unit = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (count, unit) = text.split_at(unit);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    number(count)?.checked_mul(unit)
}

//! The rows of a run, as a table and as JSON.

use crate::machine::Facts;
use serde::Serialize;
use std::fmt::Write as _;

/// One measured thing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The measurement it belongs to.
    pub(crate) measurement: &'static str,
    /// What was measured.
    what: String,
    /// On which registry or store.
    on: String,
    /// What the values are, where there is more than one.
    parts: &'static [&'static str],
    unit: &'static str,
    /// Clockwright's.
    product: Vec<f64>,
    /// The same values of the floor arm, or of a peer; empty when there is neither.
    floor: Vec<f64>,
    /// Product to floor or peer: of several pairs, the median of their ratios.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aim: Option<Aim>,
    note: String,
}

#[derive(Debug, Clone, Serialize)]
struct Aim {
    text: String,
    met: bool,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, on: impl Into<String>, unit: &'static str) -> Self {
        Self {
            measurement: "",
            what: what.into(),
            on: on.into(),
            parts: &[],
            unit,
            product: Vec::new(),
            floor: Vec::new(),
            ratio: None,
            aim: None,
            note: String::new(),
        }
    }

    pub(crate) fn parts(self, parts: &'static [&'static str]) -> Self {
        Self { parts, ..self }
    }

    pub(crate) fn product(self, product: impl Into<Vec<f64>>) -> Self {
        Self { product: product.into(), ..self }
    }

    pub(crate) fn floor(self, floor: impl Into<Vec<f64>>) -> Self {
        Self { floor: floor.into(), ..self }
    }

    pub(crate) fn ratio(self, ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    pub(crate) fn aim(self, text: impl Into<String>, met: bool) -> Self {
        Self { aim: Some(Aim { text: text.into(), met }), ..self }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn cells(&self) -> [String; 8] {
        let parts = if self.parts.is_empty() { String::new() } else { format!(" {}", self.parts.join("/")) };
        [
            self.measurement.to_owned(),
            format!("{}{parts}", self.what),
            self.on.clone(),
            numbers(&self.product, self.unit),
            numbers(&self.floor, self.unit),
            self.ratio.map(number).unwrap_or_default(),
            self.aim.as_ref().map_or_else(String::new, |aim| {
                format!("{} {}", if aim.met { "met:" } else { "MISSED:" }, aim.text)
            }),
            self.note.clone(),
        ]
    }
}

/// What was measured, in one line.
impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [_, what, on, product, floor, ratio, aim, note] = self.cells();
        write!(f, "{what} ({on}): {product}")?;
        if !floor.is_empty() {
            write!(f, " beside {floor}; ratio {ratio}")?;
        }
        write!(f, "; {aim} {note}")
    }
}

/// Keeps rows, and tells them at once: a run takes most of an hour, and one that is cut off should not have been for nothing.
pub(crate) fn tell(rows: &mut Vec<Row>, new: Vec<Row>) {
    new.iter().for_each(|row| eprintln!("  {row}"));
    rows.extend(new);
}

const HEAD: [&str; 8] = ["measurement", "what", "on", "Clockwright", "floor or peer", "ratio", "aim", "note"];

/// A Markdown table, so that it can be put into a document as it is.
pub(crate) fn table(before: &Facts, after: &Facts, rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(Row::cells));
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default().max(3)
    };
    let widths: [usize; 8] = std::array::from_fn(width);
    let mut text = format!("before: {before}\nafter:  {after}\n\n");
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in widths {
                let _ = write!(text, "|{:-<1$}", "", width + 2);
            }
            text.push_str("|\n");
        }
    }
    text
}

pub(crate) fn json(before: &Facts, after: &Facts, rows: &[Row]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(
        &serde_json::json!({ "machine": { "before": before, "after": after }, "rows": rows }),
    )?)
}

fn numbers(values: &[f64], unit: &str) -> String {
    if values.is_empty() {
        return String::new();
    }
    let values: Vec<String> = values.iter().map(|value| number(*value)).collect();
    format!("{} {unit}", values.join(" / "))
}

/// Three digits that mean something, thousands with a comma.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1_000.0 {
        let whole = format!("{value:.0}");
        let (sign, digits) = whole.strip_prefix('-').map_or(("", whole.as_str()), |digits| ("-", digits));
        let mut text = String::from(sign);
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    } else if size >= 100.0 || size == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

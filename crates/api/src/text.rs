//! Names and texts that check themselves when they are read, and say in the document of the interface what they take.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

macro_rules! texts {
    ($( $(#[$doc:meta])* $name:ident $least:tt ..= $most:tt $check:ident $(, $pattern:tt)?; )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, min_length = $least, max_length = $most $(, pattern = $pattern)?)]
        pub struct $name(String);

        impl $name {
            /// Checks and takes a text.
            ///
            /// # Errors
            /// What is wrong with it, and what would be right.
            pub fn new(text: impl Into<String>) -> Result<Self, String> {
                let text = text.into();
                let length = text.chars().count();
                if !($least..=$most).contains(&length) {
                    return Err(match length {
                        0 => "must not be empty".to_owned(),
                        _ => format!("has {length} characters; {} to {} are taken", $least, $most),
                    });
                }
                $check(&text)?;
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    )* };
}

texts! {
    /// A project's name, unique among the projects that live.
    ProjectName 1..=50 of_project, "^[a-z0-9-]+$";
    /// The name of a rule, a channel or a token.
    Name 1..=100 visible;
    /// What a person signs in with.
    Login 1..=100 of_login, "^[^\\s/:]+$";
    /// A title in a line.
    Title 0..=200 one_line;
    /// Why something is done, for those who read the journal.
    Reason 0..=1000 readable;
    /// A text of several lines.
    Note 0..=10000 readable;
    /// A pattern of names: `*` stands for any letters.
    Pattern 1..=100 visible;
    /// An address of mail.
    Mail 3..=200 of_mail, "^[^\\s@]+@[^\\s@]+$";
    /// The name of a namespace of a registry.
    Namespace 1..=200 of_namespace;
}

fn of_project(text: &str) -> Result<(), String> {
    match text.chars().find(|letter| !matches!(letter, 'a'..='z' | '0'..='9' | '-')) {
        Some(letter) => {
            Err(format!("has `{}`; letters a to z, digits and `-` are taken", letter.escape_debug()))
        }
        None => Ok(()),
    }
}

fn of_login(text: &str) -> Result<(), String> {
    visible(text)?;
    match text.chars().find(|letter| letter.is_whitespace() || matches!(letter, '/' | ':')) {
        Some(letter) => Err(format!("has `{}`, which a login cannot have", letter.escape_debug())),
        None => Ok(()),
    }
}

fn of_mail(text: &str) -> Result<(), String> {
    visible(text)?;
    match text.split_once('@') {
        Some((user, host))
            if !user.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(' ') =>
        {
            Ok(())
        }
        _ => Err("is an address such as `ops@example.com`".to_owned()),
    }
}

fn of_namespace(text: &str) -> Result<(), String> {
    visible(text)?;
    let parts = text.split('/');
    if text.starts_with('/')
        || text.ends_with('/')
        || parts.clone().any(|part| part.is_empty() || part == "." || part == "..")
    {
        return Err("is a path of names with `/` between them, without one at its ends".to_owned());
    }
    Ok(())
}

/// No end has space, and every character can be seen.
fn visible(text: &str) -> Result<(), String> {
    one_line(text)?;
    if text.trim() == text { Ok(()) } else { Err("has space at its ends".to_owned()) }
}

fn one_line(text: &str) -> Result<(), String> {
    match text.chars().find(|letter| letter.is_control() || is_invisible(*letter)) {
        Some(letter) => Err(format!("has the invisible character U+{:04X}", u32::from(letter))),
        None => Ok(()),
    }
}

fn readable(text: &str) -> Result<(), String> {
    match text
        .chars()
        .find(|letter| letter.is_control() && !matches!(letter, '\n' | '\t') || is_invisible(*letter))
    {
        Some(letter) => Err(format!("has the invisible character U+{:04X}", u32::from(letter))),
        None => Ok(()),
    }
}

/// Characters that turn text around or take no room, so that two texts could look alike.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_is_wrong_with_it() {
        for (given, told) in [
            ("", "must not be empty"),
            ("Billing", "has `B`"),
            ("a b", "has ` `"),
            ("a/b", "has `/`"),
            (&"x".repeat(51), "1 to 50 are taken"),
        ] {
            let error = ProjectName::new(given).expect_err(given);
            assert!(error.contains(told), "{given}: {error}");
        }
        assert!(Login::new("a:b").is_err() && Login::new("li na").is_err() && Login::new("李娜").is_ok());
        assert!(Reason::new("two\nlines").is_ok() && Reason::new("\u{1b}[31m").is_err());
        assert!(Title::new("a\u{202e}b").is_err() && Title::new("").is_ok());
        assert!(
            Namespace::new("a/b").is_ok()
                && Namespace::new("/a").is_err()
                && Namespace::new("a/../b").is_err()
        );
    }

    #[test]
    fn a_body_with_a_bad_name_is_not_read() {
        let error = serde_json::from_str::<ProjectName>("\"No\"").expect_err("a capital letter");
        assert!(error.to_string().contains("letters a to z"), "{error}");
        let name: ProjectName = serde_json::from_str("\"billing-2\"").expect("it is one");
        assert_eq!(serde_json::to_string(&name).expect("text"), "\"billing-2\"");
    }
}

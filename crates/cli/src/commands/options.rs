//! The options of `job set`: one for each setting that the registry decides, made of the table of settings.

use clap::builder::{StyledStr, ValueParser};
use clap::{Arg, ArgGroup, ArgMatches, Args, Command, FromArgMatches};
use clockwright_settings::table::{SETTINGS, Setting};
use clockwright_settings::value::{Form, Value};

/// Settings and what they are to be, in the order of the table: one at least.
#[derive(Debug, Clone)]
pub(crate) struct Settings(pub(crate) Vec<(&'static Setting, Value)>);

/// The settings that can be set.
fn offered() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| setting.is_shared())
}

fn option(setting: &'static Setting) -> Arg {
    let mut option = Arg::new(setting.key)
        .long(setting.option())
        .value_name(value_name(setting.form))
        .value_parser(ValueParser::new(move |text: &str| setting.of_text(text)))
        .allow_hyphen_values(true)
        .help_heading("Settings")
        .help(StyledStr::from(brief(setting)))
        .long_help(StyledStr::from(format!(
            "{}. For example `{}`",
            setting.help.trim_end_matches('.'),
            setting.example
        )));
    if setting.option() != setting.long_option() {
        option = option.alias(setting.long_option());
    }
    option
}

fn value_name(form: Form) -> String {
    match form {
        Form::Flag => "true|false".into(),
        Form::Number(..) => "NUMBER".into(),
        Form::Duration(_) => "DURATION".into(),
        Form::Word(words) => words.join("|"),
        Form::Text | Form::Texts | Form::NoList => "TEXT".into(),
    }
}

/// The first sentence of the help.
fn brief(setting: &Setting) -> String {
    let end = setting.help.find(". ").unwrap_or(setting.help.len());
    setting.help[..end].trim_end_matches('.').to_owned()
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        let keys = offered().map(|setting| setting.key);
        let group = ArgGroup::new("setting").args(keys).required(true).multiple(true);
        offered().fold(command, |command, setting| command.arg(option(setting))).group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given =
            |setting: &'static Setting| Some((setting, matches.get_one::<Value>(setting.key)?.clone()));
        Ok(Self(offered().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn command() -> Command {
        Settings::augment_args(Command::new("set"))
    }

    fn read(words: &[String]) -> Result<Settings, clap::Error> {
        let words = std::iter::once("set".to_owned()).chain(words.iter().cloned());
        command().try_get_matches_from(words).and_then(|matches| Settings::from_arg_matches(&matches))
    }

    #[test]
    fn each_setting_that_the_registry_decides_has_an_option_that_sets_it_and_says_what_it_means() {
        command().debug_assert();
        let help = command().render_long_help().to_string();
        let help: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for setting in offered() {
            for option in [setting.option(), setting.long_option()] {
                let words = [format!("--{option}"), setting.example.to_owned()];
                let given = read(&words).unwrap_or_else(|error| panic!("--{option}: {error}"));
                let [(found, value)] = &given.0[..] else { panic!("--{option} sets {}", given.0.len()) };
                assert_eq!((found.key, Ok(value.clone())), (setting.key, setting.of_text(setting.example)));
            }
            let said = setting.help.trim_end_matches('.').split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(help.contains(&said), "{}: {said}", setting.key);
        }
    }

    #[test]
    fn a_value_that_breaks_a_limit_is_refused_before_anything_is_asked_and_no_setting_is_no_command() {
        let error = read(&["--items".into(), "0".into()]).unwrap_err().to_string();
        assert!(error.contains("it is a number from 1 to 100000"), "{error}");
        assert!(read(&[]).is_err());
        let given = read(&["--timeout".into(), String::new()]).unwrap();
        assert_eq!(given.0[0].1, Value::Text(String::new()), "nothing, as before it was set");
    }
}

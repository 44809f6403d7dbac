//! Sets up logging, once, at the start of the process.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line, for machines.
    Json,
}

/// Command line options for logging.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// What is logged: a level (error, warn, info, debug, trace), or a list of `module=level`
    #[arg(long, env = "POSTHASTE_LOG", value_name = "FILTER", default_value = "info", value_parser = checked)]
    pub log: String,
    /// How log lines look
    #[arg(long, env = "POSTHASTE_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("log filter: {0}")]
    Filter(#[from] ParseError),
    /// It was set up before.
    #[error("logging is already set up: {0}")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
}

fn checked(filter: &str) -> Result<String, ParseError> {
    EnvFilter::try_new(filter).map(|_| filter.to_owned())
}

/// Starts logging to standard error.
///
/// # Errors
/// See [`LogError`].
pub fn init(args: &LogArgs) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&args.log)?;
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    match args.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            builder.finish().try_init()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        log: LogArgs,
    }

    #[test]
    fn text_at_level_info_is_the_default() {
        let log = Program::parse_from(["x"]).log;
        assert_eq!((log.log.as_str(), log.log_format), ("info", LogFormat::Text));
    }

    #[test]
    fn json_and_a_filter_by_module_can_be_chosen() {
        let log = Program::parse_from(["x", "--log", "warn,kube=debug", "--log-format", "json"]).log;
        assert_eq!((log.log.as_str(), log.log_format), ("warn,kube=debug", LogFormat::Json));
    }

    #[test]
    fn a_filter_that_is_none_is_refused_on_the_command_line() {
        let error = Program::try_parse_from(["x", "--log", "a=b=c"]).err().unwrap().to_string();
        assert!(error.contains("--log"), "{error}");
    }
}

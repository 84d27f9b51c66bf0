//! The log: to stderr, for people or one JSON object a line.

use crate::{
    args::LogFormat,
    failure::{Code, Failure, Outcome},
    settings::{Origin, Settings},
};
use std::io;
use tracing_subscriber::EnvFilter;

/// Starts the log as the settings want it. A second call changes nothing: the demo runs commands inside a command.
pub fn start(settings: &Settings) -> Outcome<()> {
    // The demo's embedded servers log every refusal as an error, also those that a client provokes on purpose.
    let spelled_out = matches!(settings.log.origin, Origin::Environment(_) | Origin::File(_));
    let hushed = if spelled_out { "" } else { ",s3s=off,nfs3_server=off" };
    let filter = EnvFilter::try_new(format!("{}{hushed}", settings.log.value)).map_err(|error| {
        Failure::new(Code::Environment, format!("the filter of the log `{}` is not valid", settings.log.value))
            .because(error)
            .hint("for example `info` or `driver_nfs=trace,warn`")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match settings.log_format.value {
        LogFormat::Human => log.with_ansi(settings.color).with_target(true).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log was started already");
    }
    Ok(())
}

//! Every environment variable that longshore reads by name, in one place.
//!
//! What the AWS chain reads (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, …) belongs to the S3 driver and is not
//! repeated here.

/// A configuration file, instead of the usual one.
pub const CONFIG: &str = "LONGSHORE_CONFIG";
/// Filter of the log, as `tracing-subscriber` has it: `info`, `driver_nfs=trace,warn`.
pub const LOG: &str = "LONGSHORE_LOG";
/// `human` or `json`.
pub const LOG_FORMAT: &str = "LONGSHORE_LOG_FORMAT";
/// AWS region for recommendations.
pub const REGION: &str = "LONGSHORE_REGION";
/// How the data will be used.
pub const ACCESS: &str = "LONGSHORE_ACCESS";
/// Growth a year, `20%`.
pub const GROWTH: &str = "LONGSHORE_GROWTH";
/// Months that the target must last.
pub const HORIZON: &str = "LONGSHORE_HORIZON";
/// Listings in flight together during discovery.
pub const CONCURRENCY: &str = "LONGSHORE_CONCURRENCY";
/// Tries of one operation, the first included.
pub const TRIES: &str = "LONGSHORE_TRIES";
/// Longest wait for one operation of a store.
pub const OPERATION_TIMEOUT: &str = "LONGSHORE_OPERATION_TIMEOUT";
/// Longest wait for a connection to stand.
pub const CONNECT_TIMEOUT: &str = "LONGSHORE_CONNECT_TIMEOUT";
/// The password for SMB servers that the configuration names none for.
pub const SMB_PASSWORD: &str = "LONGSHORE_SMB_PASSWORD";
/// Where Hadoop's configuration is (`core-site.xml`, `hdfs-site.xml`), for HDFS locations that do not say.
pub const HADOOP_CONF_DIR: &str = "HADOOP_CONF_DIR";
/// Where `copy` keeps its journals.
pub const STATE_DIR: &str = "LONGSHORE_STATE_DIR";

/// No colours when it is set to anything: the convention of no-color.org.
pub const NO_COLOR: &str = "NO_COLOR";
/// Where a user's configuration is.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Where a user's state is.
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// The user's home.
pub const HOME: &str = "HOME";
/// Columns of the terminal, where the terminal itself does not tell.
pub const COLUMNS: &str = "COLUMNS";

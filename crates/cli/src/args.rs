//! What can be typed. What it means is settled in [`crate::settings`] and in each command.

use crate::settings::Percent;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, fmt, path::PathBuf, str::FromStr};

/// Discovers storage, recommends AWS targets, migrates with a journal, verifies, reports.
#[derive(Clone, Debug, Parser)]
#[command(name = "longshore", version, about, max_term_width = 100, propagate_version = true)]
#[command(after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, nothing left over          4  verification found differences
  1  could not finish                 5  preflight said no; nothing was written
  2  wrong usage or configuration     130, 143  interrupted; run it again to go on
  3  finished, but some items failed or were skipped

A location is nfs://host/export/dir, smb://user@host/share/dir, hdfs://host:port/dir,
s3://bucket/prefix, fsimage:///file, file:///dir, ./dir or /dir.";

/// What every command understands.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Print documents (JSON) instead of tables
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print neither progress nor hints
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Log more: -v phases, -vv retries, -vvv every item
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Configuration file [default: ~/.config/longshore/config.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Form of the log on stderr: human or json
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Global options")]
    pub log_format: Option<LogFormat>,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is neither `human` nor `json`")),
        }
    }
}
impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// Every command.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Do the whole job on embedded servers, for real, with a report
    Demo(Demo),
    /// Profile systems: what they hold, how they answer
    Discover(Discover),
    /// Rank services for each system, size, price and explain them, write a plan
    Recommend(Recommend),
    /// Carry out a plan; run it again to go on or to bring what changed
    Migrate(Migrate),
    /// Read both sides back and compare them, independently of the journal
    Verify(Verify),
    /// One move without a plan file
    Copy(Copy),
    /// Show an inventory, a plan or a run
    Report(Report),
    /// Look at one store
    #[command(subcommand)]
    Source(Source),
    /// Look at a run
    #[command(subcommand)]
    Run(Run),
    /// Show the settings
    #[command(subcommand)]
    Config(Config),
    /// Explain an error code
    Explain(Explain),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// `longshore demo`
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Where everything is put
    #[arg(long, default_value = "longshore-demo")]
    pub dir: PathBuf,
    /// How many files to make
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub files: u32,
    /// Leave the servers running at the end, to look around, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
}

/// `longshore discover`
#[derive(Clone, Debug, Args)]
pub struct Discover {
    /// What to discover; nfs://host, smb://user@host or s3:///?endpoint=… mean all that a server has
    #[arg(required_unless_present = "systems", value_name = "URI")]
    pub locations: Vec<OsString>,
    /// A file of systems, with logins, budgets and hours for each
    #[arg(long, value_name = "FILE")]
    pub systems: Option<PathBuf>,
    /// Directory of the inventory
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Listings in flight together [default: 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub concurrency: Option<u32>,
    /// Servers asked at one time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub servers: u32,
    /// Requests per second that a server is asked for at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_requests: Option<u32>,
    /// Bytes of content per second that a server is asked for at most, such as 100MiB
    #[arg(long, value_name = "SIZE")]
    pub max_bandwidth: Option<model::ByteSize>,
    /// When requests may be started, by this host's clock: `mon-fri 20:00-06:00, sat-sun 00:00-24:00`
    #[arg(long, value_name = "HOURS")]
    pub window: Option<String>,
    /// Ask as fast as the server answers, even when its answers become slow
    #[arg(long)]
    pub inconsiderate: bool,
    /// Begin anew where an earlier discovery was finished or interrupted
    #[arg(long)]
    pub fresh: bool,
}

/// `longshore recommend`
#[derive(Clone, Debug, Args)]
pub struct Recommend {
    /// The inventory
    #[arg(value_name = "INVENTORY")]
    pub inventory: PathBuf,
    /// Where to write the plan
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// AWS region of prices and services
    #[arg(long)]
    pub region: Option<String>,
    /// How the data will be used: any, file, object or archive [default: any]
    #[arg(long, value_name = "USE")]
    pub access: Option<String>,
    /// Growth a year, such as 20% [default: 20%]
    #[arg(long, value_name = "SHARE")]
    pub growth: Option<Percent>,
    /// Months that the target must last [default: 36]
    #[arg(long, value_name = "MONTHS")]
    pub horizon: Option<u32>,
    /// Throughput that it must carry, such as 200MiB/s
    #[arg(long, value_name = "RATE")]
    pub throughput: Option<String>,
    /// Operations a second that it must carry
    #[arg(long, value_name = "N")]
    pub iops: Option<f64>,
    /// Plan this service instead of the best: s3, s3/standard, efs, …
    #[arg(long, value_name = "SERVICE")]
    pub choose: Option<String>,
    /// Where the data shall go, such as s3://bucket/prefix
    #[arg(long, value_name = "URI")]
    pub to: Option<OsString>,
}

/// `longshore migrate`
#[derive(Clone, Debug, Args)]
pub struct Migrate {
    /// The plan
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Say what would be done; write nothing at the target
    #[arg(long)]
    pub dry_run: bool,
    /// Directory of the run [default: beside the plan, plan.toml -> plan.run]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
}

/// `longshore verify`
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// A plan, or a source
    #[arg(value_name = "PLAN|SRC")]
    pub first: OsString,
    /// A target, when the first is a source
    #[arg(value_name = "DST")]
    pub second: Option<OsString>,
    /// What was done with names that the target cannot hold
    #[arg(long, value_enum, requires = "second")]
    pub names: Option<Names>,
    /// Directory of the run [default: as for migrate and copy]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
}

/// `longshore copy`
#[derive(Clone, Debug, Args)]
pub struct Copy {
    /// Where the data is
    #[arg(value_name = "SRC")]
    pub source: OsString,
    /// Where it shall be
    #[arg(value_name = "DST")]
    pub target: OsString,
    /// What to do with names that the target cannot hold
    #[arg(long, value_enum, default_value_t = Names::Refuse)]
    pub names: Names,
    /// Say what would be done; write nothing at the target
    #[arg(long)]
    pub dry_run: bool,
    /// Directory of the run [default: below the user's state directory]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
}

/// What to do with names that a target cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Names {
    /// Such an item fails, with the reason
    Refuse,
    /// Escape what the target cannot hold, reversibly
    Escape,
    /// The source holds escaped names: give them back their bytes
    Restore,
}

/// `longshore report`
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// Inventories, plans and runs, in any order and number
    #[arg(required = true, value_name = "INVENTORY|PLAN|RUN")]
    pub inputs: Vec<PathBuf>,
    /// Form of the report
    #[arg(long, short, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Where to write it [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The headline
    #[arg(long)]
    pub title: Option<String>,
    /// Which table, for csv
    #[arg(long, required_if_eq("format", "csv"), value_name = "NAME")]
    pub table: Option<String>,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables on the terminal
    Human,
    /// One page that needs nothing else
    Html,
    /// A document
    Json,
    /// Markdown
    Md,
    /// One table (see --table)
    Csv,
}

/// `longshore source …`
#[derive(Clone, Debug, Subcommand)]
pub enum Source {
    /// Reach it and print what it can do
    Test {
        /// The store
        #[arg(value_name = "URI")]
        location: OsString,
    },
    /// Measure it: how fast it lists, and how fast it reads with many requests in flight
    Bench(Bench),
}

/// `longshore source bench`
#[derive(Clone, Debug, Args)]
pub struct Bench {
    /// What to walk, or where the file to read is
    #[arg(value_name = "URI")]
    pub location: OsString,
    /// A file below it to read again and again; without one, the location is walked
    #[arg(long, value_name = "PATH")]
    pub read: Option<OsString>,
    /// Requests in flight together, one series of runs for each
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "8,32,64",
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub in_flight: Vec<u32>,
    /// Runs of each series
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Bytes of one read
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub piece: model::ByteSize,
}

/// `longshore run …`
#[derive(Clone, Debug, Subcommand)]
pub enum Run {
    /// What a run did
    Show {
        /// Directory of the run
        #[arg(value_name = "RUN")]
        run: PathBuf,
    },
    /// Every item that failed or was skipped
    Failures {
        /// Directory of the run
        #[arg(value_name = "RUN")]
        run: PathBuf,
    },
}

/// `longshore config …`
#[derive(Clone, Debug, Subcommand)]
pub enum Config {
    /// Every setting and its value
    Show {
        /// And where the value came from
        #[arg(long)]
        origins: bool,
    },
}

/// `longshore explain`
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// The code, such as E2103; all codes when absent
    pub code: Option<String>,
}

/// `longshore completions`
#[derive(Clone, Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

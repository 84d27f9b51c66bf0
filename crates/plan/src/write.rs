//! From a plan to the text that a person reviews and edits.

use crate::check::{PLACEHOLDER, word};
use crate::{Move, NamePolicy, PLAN_SCHEMA, Plan, Recommendation, SystemAdvice, VerifyPolicy};
use serde::Serialize;
use std::fmt::{Display, Write as _};

/// Candidates of the ranking that the head of a plan shows for each system.
const SHOWN: usize = 5;

impl Plan {
    /// The plan as TOML, each key explained where it stands first. Reads back as the same plan.
    pub fn to_toml(&self) -> String {
        self.written(None)
    }

    /// As [`Plan::to_toml`], with the ranking that led to it as comments at the head.
    pub fn to_toml_with(&self, recommendation: &Recommendation) -> String {
        self.written(Some(recommendation))
    }

    fn written(&self, recommendation: Option<&Recommendation>) -> String {
        let mut out = Text::default();
        out.comment("A longshore plan: what to move where. Review it, edit it, then run `longshore migrate` on it.");
        out.comment("Try it first with `longshore migrate --dry-run`. Unknown keys are refused.");
        if let Some(recommendation) = recommendation {
            out.ranking(recommendation);
        }
        out.blank();
        out.pair("schema", &PLAN_SCHEMA);
        out.comment("The inventory and the catalog of prices that it was made from; empty for a plan made by hand.");
        out.pair("inventory-sha256", &self.inventory_sha256);
        out.pair("catalog-as-of", &self.catalog_as_of);
        for (i, one) in self.moves.iter().enumerate() {
            out.blank();
            out.one(one, i == 0);
        }
        out.0
    }
}

/// TOML under construction.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, text: impl Display) {
        writeln!(self.0, "{text}").expect("a String takes what is written");
    }
    fn blank(&mut self) {
        self.line("");
    }
    fn comment(&mut self, text: impl Display) {
        // What came from elsewhere must not end the comment and begin a key.
        self.line(format!("# {}", text.to_string().replace(|c: char| c.is_control(), " ")));
    }
    fn pair<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) {
        self.line(format!("{key} = {}", literal(value)));
    }

    fn ranking(&mut self, recommendation: &Recommendation) {
        for system in &recommendation.systems {
            self.line("#");
            self.comment(format!(
                "Ranking for {} in {}, USD a month at list prices (oldest of {}):",
                system.location, recommendation.region, recommendation.catalog_as_of
            ));
            self.candidates(system);
        }
    }

    fn candidates(&mut self, system: &SystemAdvice) {
        for (i, candidate) in system.ranking.iter().take(SHOWN).enumerate() {
            let cost = candidate.cost.total_usd.0;
            let rank = i + 1;
            self.comment(format!("{rank:>4}. {:<34} {cost:>12.2}  {}", candidate.service, candidate.title));
        }
        if system.ranking.is_empty() {
            self.comment("      no target fits");
        }
        let further = system.ranking.len().saturating_sub(SHOWN);
        if further > 0 || !system.excluded.is_empty() {
            self.comment(format!("      {further} more fit, {} were excluded", system.excluded.len()));
        }
    }

    /// One move; `explained` says what each key is for.
    fn one(&mut self, one: &Move, explained: bool) {
        let mut about = Explained { out: self, explained };
        about.out.line("[[move]]");
        about.key("Letters, digits and `-`; names the move's directory in the run.", "name", &one.name);
        about.key("Where the data is. It is only ever read.", "from", &one.from);
        if one.to.to_string().contains(PLACEHOLDER) {
            for line in placeholder_note(one) {
                about.out.comment(line);
            }
        } else {
            about.say("Where it shall be, for example `s3://bucket/prefix`.");
        }
        about.out.pair("to", &one.to);
        about.key("The service that was chosen; for reports.", "service", &one.service);
        about.say("Configuration of the service in the API's own words. `migrate` uses `StorageClass`.");
        about.out.pair("configuration", &one.configuration);
        about.say("Names that the target cannot hold: `refuse` (the item fails), `escape` (reversibly) or");
        about.say("`restore` (the source holds escaped names; give them back their bytes).");
        about.out.line(format!("names = \"{}\"", names_word(one.names)));
        about.say("Proof of arrival: `stamp` (the target's listing), `digest` (the target's own checksum,");
        about.say("size and metadata) or `read-back` (both sides are read again).");
        about.out.line(format!("verify = \"{}\"", verify_word(one.verify)));
        about.key("Stop after this many failed items; 0 means never.", "max-failures", &one.max_failures);
        about.key("Most memory for content in flight; at least one part.", "memory", &one.memory);
        about.key("Most items in flight, 1 to 1024; lowered by itself while it runs.", "concurrency", &one.concurrency);
        about.key("Preferred size of a part of a large object, 5 MiB to 5 GiB.", "part-size", &one.part_size);
        about.say("What to do, in this order: preflight, transfer, verify.");
        let steps: Vec<String> = one.steps.iter().map(|step| format!("{{ do = \"{}\" }}", word(step))).collect();
        about.out.line(format!("step = [{}]", steps.join(", ")));
    }
}

/// Writes keys with what they are for, or without.
struct Explained<'a> {
    out: &'a mut Text,
    explained: bool,
}

impl Explained<'_> {
    fn say(&mut self, text: &str) {
        if self.explained {
            self.out.comment(text);
        }
    }
    fn key<T: Serialize>(&mut self, what: &str, key: &str, value: &T) {
        self.say(what);
        self.out.pair(key, value);
    }
}

/// What a person must do before the placeholder can be replaced.
fn placeholder_note(one: &Move) -> [&'static str; 3] {
    match one.to.scheme() {
        "s3" => [
            "FILL IN: the bucket. `migrate` refuses the placeholder. The bucket must exist and be writable;",
            "credentials are found the usual way (environment, profile, instance role), never written here.",
            "Example: to = \"s3://my-bucket/prefix?region=us-east-1\"",
        ],
        "file" => [
            "FILL IN: the mount point. `migrate` refuses the placeholder. This version writes to S3 and to mounted",
            "file systems: create the file system, mount it on this host, and write the path.",
            "Example: to = \"file:///mnt/fs/directory\"",
        ],
        _ => [
            "FILL IN: the address. This version of `migrate` cannot write to this service with everything that the",
            "source has (access control lists): it refuses the move. Use the service's own tools for it,",
            "or choose another target with `longshore recommend --choose`.",
        ],
    }
}

const fn names_word(policy: NamePolicy) -> &'static str {
    match policy {
        NamePolicy::Refuse => "refuse",
        NamePolicy::Escape => "escape",
        NamePolicy::Restore => "restore",
    }
}

const fn verify_word(policy: VerifyPolicy) -> &'static str {
    match policy {
        VerifyPolicy::Stamp => "stamp",
        VerifyPolicy::Digest => "digest",
        VerifyPolicy::ReadBack => "read-back",
    }
}

/// A value as TOML writes it on one line.
fn literal<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = String::new();
    let written = value.serialize(toml::ser::ValueSerializer::new(&mut text));
    written.expect("strings, numbers and maps of strings have a TOML form");
    text
}

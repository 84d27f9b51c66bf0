//! `longshore config show`

use super::Shell;
use crate::{args::Config, exit::Exit, failure::Outcome};

/// Prints every setting.
pub fn run(typed: &Config, shell: &Shell) -> Outcome<Exit> {
    let Config::Show { origins } = typed;
    let rows = shell.settings.rows();
    if shell.out.json {
        let settings: Vec<_> = rows
            .iter()
            .map(|(name, value, origin)| serde_json::json!({"name": name, "value": value, "origin": origin}))
            .collect();
        shell.out.named_document("longshore.config/v1", &serde_json::json!({"settings": settings}))?;
        return Ok(Exit::Done);
    }
    let line = |(name, value, origin): &(&str, String, String)| {
        if *origins { format!("{name:<18} {value:<24} {origin}\n") } else { format!("{name:<18} {value}\n") }
    };
    shell.out.text(&rows.iter().map(line).collect::<String>())?;
    Ok(Exit::Done)
}

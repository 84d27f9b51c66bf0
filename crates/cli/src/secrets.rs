//! Secrets are references, never values: `env:NAME`, `file:/path`, `cmd:program arguments`.

use crate::{
    failure::{Code, Failure, Outcome},
    settings::Surroundings,
};
use collectors::systems::SecretRef;
use std::{fmt, process::Command};

/// A password. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// One that is in hand.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// For whoever sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Reads a reference and follows it.
pub fn resolve(reference: &str, surroundings: &Surroundings) -> Outcome<Secret> {
    // What was written may be the password itself: it is not repeated.
    let reference = reference.parse().map_err(|wrong: &str| {
        Failure::new(Code::Secret, "a password must be given by reference, not as such")
            .because(wrong)
            .hint("write `env:NAME`, `file:/path` or `cmd:program arguments`")
    })?;
    follow(&reference, surroundings)
}

/// Follows a reference. A line end at the end of a file or of what a command prints is not part of the secret.
pub fn follow(reference: &SecretRef, surroundings: &Surroundings) -> Outcome<Secret> {
    let wrong = |message: String| Failure::new(Code::Secret, message);
    match reference {
        SecretRef::Env(name) => surroundings.variable(name).map(Secret::new).ok_or_else(|| {
            wrong(format!("the environment variable {name}, which should hold a password, is not set"))
                .hint(format!("export {name}, or refer to a file: `file:/path`"))
        }),
        SecretRef::File(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                wrong(format!("cannot read `{}`, which should hold a password", path.display()))
                    .because(error)
                    .hint("the file must be text and readable by this user")
            })?;
            Ok(Secret::new(line(&text)))
        }
        SecretRef::Command(command) => {
            let out = Command::new("sh").args(["-c", command]).output().map_err(|error| {
                wrong(format!("cannot run `{command}`, which should print a password")).because(error)
            })?;
            if !out.status.success() {
                return Err(wrong(format!("`{command}`, which should print a password, ended with {}", out.status))
                    .because(String::from_utf8_lossy(&out.stderr).trim_end())
                    .hint("run it by hand"));
            }
            let text = String::from_utf8(out.stdout)
                .map_err(|_| wrong(format!("what `{command}` prints is not text, and should be a password")))?;
            Ok(Secret::new(line(&text)))
        }
    }
}

fn line(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn around() -> Surroundings {
        let variables = BTreeMap::from([("PASSWORD_OF_FILER".to_owned(), "geheim".to_owned())]);
        Surroundings { variables, stdout_is_terminal: false, stderr_is_terminal: false, keys: None }
    }

    #[test]
    fn references_are_followed_and_the_last_line_end_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "ge heim \r\n").unwrap();
        let of = |reference: &str| resolve(reference, &around()).unwrap().reveal().to_owned();
        assert_eq!(of("env:PASSWORD_OF_FILER"), "geheim");
        assert_eq!(of(&format!("file:{}", path.display())), "ge heim ");
        assert_eq!(of("cmd:printf 'a b\\n\\n'"), "a b\n");
    }

    #[test]
    fn a_value_in_place_of_a_reference_is_refused_and_not_repeated() {
        let failure = resolve("hunter2", &around()).unwrap_err();
        assert!(!failure.render(false).contains("hunter2"), "{failure:?}");
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret");
        assert!(resolve("env:NOT_SET", &around()).unwrap_err().message.contains("NOT_SET"));
        assert!(resolve("cmd:exit 3", &around()).is_err());
    }
}

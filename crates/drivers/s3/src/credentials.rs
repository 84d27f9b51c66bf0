//! Who we are: the standard AWS chain, asked once and again before it runs out.

use crate::{
    config::{Config, Keys},
    connection::{Payload, dial},
    endpoint::Address,
    profile::RoleProvider,
    sign::{SigningKey, SigningTime},
    tls,
};
use bytes::{Bytes, BytesMut};
use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider, EnvCredentialProvider,
    IMDSv2CredentialProvider, ProcessCredentialProvider, ProfileCredentialProvider, SSOCredentialProvider,
    StaticCredentialProvider,
};
use reqsign_core::{
    CommandExecute, CommandOutput, Context, Error, FileRead, HttpSend, OsEnv, ProvideCredentialDyn, Result,
};
use std::{
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Duration,
};
use tokio::sync::Mutex;

/// Renewed when this little of their life is left, so that a long request does not outlive them.
const RENEW_BEFORE: Duration = Duration::from_mins(5);
/// An instance metadata service answers at once or is not there.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
/// For STS, SSO and the like.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(20);
/// No answer with credentials is longer.
const ANSWER_LIMIT: usize = 1 << 20;
/// The way whose failure is final.
const ROLE: &str = "the profile's role";

/// One way to come by credentials, and its name for messages.
type Way = (&'static str, Box<dyn ProvideCredentialDyn<Credential = Credential>>);

/// The credentials in use, with the key derived from them.
#[derive(Debug)]
pub(crate) struct Credentials {
    context: Context,
    ways: Vec<Way>,
    region: String,
    current: RwLock<Option<Arc<Current>>>,
    /// Held while the ways are asked, so that they are asked once.
    asking: Mutex<()>,
}

/// A credential with its key for one day.
#[derive(Debug)]
struct Current {
    key: Arc<SigningKey>,
    credential: Credential,
}

impl Credentials {
    /// The ways for a location: the keys in hand, or the usual order. A profile that the location names
    /// goes before the environment, as it does for the `aws` command.
    pub(crate) fn new(config: &Config, keys: Option<&Keys>) -> Self {
        let context = Context::new()
            .with_env(OsEnv)
            .with_file_read(Files)
            .with_command_execute(Commands)
            .with_http_send(Http { certificates: config.certificates.clone() });
        Self {
            context,
            ways: keys.map_or_else(|| usual(config), |keys| vec![("the keys in hand", in_hand(keys))]),
            region: config.region.clone(),
            current: RwLock::new(None),
            asking: Mutex::new(()),
        }
    }

    /// The key to sign with at `time`.
    pub(crate) async fn key(&self, time: &SigningTime) -> Result<Arc<SigningKey>> {
        if let Some(current) = self.kept()
            && current.key.date() == time.date()
            && lasts(&current.credential)
        {
            return Ok(Arc::clone(&current.key));
        }
        let _asking = self.asking.lock().await;
        // Somebody else may have asked while we waited.
        let kept = self.kept().filter(|current| lasts(&current.credential));
        let credential = match kept {
            Some(current) if current.key.date() == time.date() => return Ok(Arc::clone(&current.key)),
            Some(current) => current.credential.clone(),
            None => self.ask().await?,
        };
        let key = Arc::new(SigningKey::derive(
            &credential.access_key_id,
            &credential.secret_access_key,
            credential.session_token.as_deref(),
            time.date(),
            &self.region,
        ));
        self.keep(Some(Arc::new(Current { key: Arc::clone(&key), credential })));
        Ok(key)
    }

    /// The server says that `key` is no longer good: the next request asks the chain.
    pub(crate) fn expired(&self, key: &Arc<SigningKey>) {
        if self.kept().is_some_and(|current| Arc::ptr_eq(&current.key, key)) {
            self.keep(None);
        }
    }

    /// The first way that yields credentials. One that fails is passed over, as a container without an
    /// instance role must be, but a role that the profile names: falling back to somebody else would be
    /// a surprise.
    async fn ask(&self) -> Result<Credential> {
        let mut failures = Vec::new();
        for (name, way) in &self.ways {
            match way.provide_credential_dyn(&self.context).await {
                Ok(Some(credential)) => {
                    tracing::debug!(from = name, "credentials found");
                    return Ok(credential);
                }
                Ok(None) => {}
                Err(error) if *name == ROLE => return Err(error),
                Err(error) => failures.push(format!("{name}: {error}")),
            }
        }
        let names: Vec<&str> = self.ways.iter().map(|(name, _)| *name).collect();
        let mut text = format!("no credentials found in {}", names.join(", "));
        for failure in failures {
            text.push_str("; ");
            text.push_str(&failure);
        }
        Err(Error::credential_invalid(text))
    }
    fn kept(&self) -> Option<Arc<Current>> {
        self.current.read().expect("nobody panics while holding the lock").clone()
    }
    fn keep(&self, current: Option<Arc<Current>>) {
        *self.current.write().expect("nobody panics while holding the lock") = current;
    }
}

fn in_hand(keys: &Keys) -> Box<dyn ProvideCredentialDyn<Credential = Credential>> {
    let fixed = StaticCredentialProvider::new(&keys.access, &keys.secret);
    Box::new(match &keys.token {
        Some(token) => fixed.with_session_token(token),
        None => fixed,
    })
}

/// The order of the AWS command line and SDKs.
fn usual(config: &Config) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    let mut profile = ProfileCredentialProvider::new();
    let mut sso = SSOCredentialProvider::new();
    let mut process = ProcessCredentialProvider::new();
    if let Some(name) = &config.profile {
        profile = profile.with_profile(name);
        sso = sso.with_profile(name);
        process = process.with_profile(name);
    } else {
        ways.push(("the environment", Box::new(EnvCredentialProvider::new())));
    }
    ways.push((ROLE, Box::new(RoleProvider::new(config.profile.clone(), config.region.clone()))));
    ways.push(("the shared profile", Box::new(profile)));
    ways.push(("SSO", Box::new(sso)));
    ways.push(("web identity", Box::new(AssumeRoleWithWebIdentityCredentialProvider::new())));
    ways.push(("the profile's process", Box::new(process)));
    ways.push(("the container", Box::new(ECSCredentialProvider::new())));
    ways.push(("the instance", Box::new(IMDSv2CredentialProvider::new())));
    ways
}

fn lasts(credential: &Credential) -> bool {
    credential.expires_in.is_none_or(|end| end > reqsign_core::time::Timestamp::now() + RENEW_BEFORE)
}

/// Files for the chain.
#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        tokio::fs::read(path).await.map_err(|why| Error::config_invalid(format!("cannot read `{path}`: {why}")))
    }
}

/// `credential_process` for the chain.
#[derive(Debug)]
struct Commands;

impl CommandExecute for Commands {
    async fn command_execute<'a>(&'a self, program: &'a str, args: &'a [&'a str]) -> Result<CommandOutput> {
        let words = words(program, args);
        let (program, args) = words.split_first().ok_or_else(|| Error::config_invalid("an empty command"))?;
        let run = tokio::process::Command::new(program).args(args).kill_on_drop(true).output();
        let output = tokio::time::timeout(SERVICE_TIMEOUT, run)
            .await
            .map_err(|_| Error::unexpected(format!("`{program}` did not end within {} s", SERVICE_TIMEOUT.as_secs())))?
            .map_err(|why| Error::config_invalid(format!("cannot run `{program}`: {why}")))?;
        Ok(CommandOutput { status: output.status.code().unwrap_or(-1), stdout: output.stdout, stderr: output.stderr })
    }
}

/// The words of a command. The chain splits it at every space; the `aws` command keeps together what stands in
/// quotes, and so do we. There is no shell.
fn words(program: &str, args: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let text = std::iter::once(program).chain(args.iter().copied()).collect::<Vec<_>>().join(" ");
    for c in text.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Requests of the chain: one connection each, they are rare.
#[derive(Debug)]
struct Http {
    certificates: Vec<PathBuf>,
}

impl HttpSend for Http {
    async fn http_send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let (mut parts, body) = request.into_parts();
        let unfit = |why: &str| Error::request_invalid(format!("`{}`: {why}", parts.uri));
        let scheme = parts.uri.scheme_str().ok_or_else(|| unfit("no scheme"))?;
        let authority = parts.uri.authority().ok_or_else(|| unfit("no host"))?;
        let address = Address::parse(&format!("{scheme}://{authority}")).map_err(unfit)?;
        // The chain's own metadata services speak plain HTTP on a link-local address.
        let limit = if address.tls { SERVICE_TIMEOUT } else { METADATA_TIMEOUT };
        let tls =
            if address.tls { Some(tls::client(&self.certificates).map_err(Error::config_invalid)?) } else { None };
        if !parts.headers.contains_key(http::header::HOST) {
            let host = address.host_header().parse().map_err(|_| unfit("the host is not ASCII"))?;
            parts.headers.insert(http::header::HOST, host);
        }
        let path = parts.uri.path_and_query().cloned();
        parts.uri = path.map_or_else(|| http::Uri::from_static("/"), http::Uri::from);
        let lost = |why: crate::connection::Broken| Error::unexpected(format!("{address}: {why}"));
        let ask = async {
            let mut link = dial(&address, tls, limit).await.map_err(lost)?;
            let request = http::Request::from_parts(parts, Payload::of(&[body]));
            let (head, mut incoming) = link.exchange(request, limit).await.map_err(lost)?.into_parts();
            let mut all = BytesMut::new();
            while let Some(piece) = std::future::poll_fn(|cx| link.poll_piece(&mut incoming, cx)).await {
                all.extend_from_slice(&piece.map_err(lost)?);
                if all.len() > ANSWER_LIMIT {
                    return Err(Error::unexpected(format!("{address}: the answer is too long")));
                }
            }
            Ok(http::Response::from_parts(head, all.freeze()))
        };
        tokio::time::timeout(limit, ask)
            .await
            .map_err(|_| Error::unexpected(format!("{address}: no answer within {} s", limit.as_secs())))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commands_quoted_words_stay_together() {
        let args = ["'with", "spaces'/tool", "--name", "\"a", "'b'\"", "''"];
        assert_eq!(words("run", &args), ["run", "with spaces/tool", "--name", "a 'b'", ""]);
    }
}

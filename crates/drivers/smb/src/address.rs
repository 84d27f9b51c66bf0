//! What a `smb://` URI says, checked.

use crate::{Credentials, Demand, SmbOptions, names};
use model::{Location, RelPath};
use storage::{Error, ErrorKind, Result};

/// Where SMB is served.
pub(crate) const PORT: u16 = 445;

const FORM: &str = "write `smb://[domain;]user@host[:port]/share/dir`, with `?sign=required` or `?encrypt=required` where wanted, and `?service=NAME` where \
     the ticket is for another name than `host`";

/// Where to connect and how.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub host: String,
    pub port: u16,
    /// Empty when only the server is meant.
    pub share: Vec<u16>,
    /// The directory below the share.
    pub dir: RelPath,
    pub options: SmbOptions,
}

impl Address {
    pub fn new(location: &Location, options: &SmbOptions) -> Result<Self> {
        let invalid =
            |why: String, hint: &str| Err(Error::new(ErrorKind::Invalid, "use the location").because(why).hint(hint));
        if location.scheme() != "smb" {
            return invalid(format!("`{}` is not the scheme of SMB", location.scheme()), FORM);
        }
        if location.host().is_empty() {
            return invalid("it names no host".to_owned(), FORM);
        }
        let mut options = options.clone();
        for (key, value) in location.params() {
            if key == "service" {
                if value.is_empty() || value.contains(['/', '@']) {
                    return invalid(format!("`{value}` is not the name of a host"), FORM);
                }
                options.service = Some(value.to_owned());
                continue;
            }
            let demand = match value {
                "required" => Demand::Required,
                "auto" => Demand::AsServer,
                _ => return invalid(format!("`{value}` is not a value for `{key}`"), FORM),
            };
            match key {
                "sign" => options.signing = demand,
                "encrypt" => options.encryption = demand,
                _ => return invalid(format!("the parameter `{key}` means nothing for SMB"), FORM),
            }
        }
        if let Some(user) = location.user() {
            name_user(&mut options.credentials, user)?;
        }
        if options.credentials.may_be_guest()
            && (options.signing == Demand::Required || options.encryption == Demand::Required)
        {
            return invalid(
                "a guest has no key to sign or encrypt with".to_owned(),
                "name a user, or leave out `sign` and `encrypt`",
            );
        }
        let mut dir = location.prefix();
        let share = dir.components().next().unwrap_or_default().to_vec();
        dir = RelPath::from(dir.as_bytes().get(share.len() + 1..).unwrap_or_default());
        let Some(units) = names::to_units(&share) else {
            return invalid("the name of the share is not Unicode".to_owned(), FORM);
        };
        // Checked here, so that every later path only adds to it.
        names::wire_path(&RelPath::from_bytes(share), "use the location")?;
        names::wire_path(&dir, "use the location")?;
        let port = location.port().unwrap_or(PORT);
        Ok(Self { host: location.host().to_owned(), port, share: units, dir, options })
    }
}

/// The user of the URI, as `domain;user`, `domain\user`, or `user`.
fn name_user(credentials: &mut Credentials, named: &str) -> Result<()> {
    let (domain, user) = named.split_once([';', '\\']).map_or((None, named), |(domain, user)| (Some(domain), user));
    match credentials {
        Credentials::Password { user: name, domain: of, .. } => {
            user.clone_into(name);
            if let Some(domain) = domain {
                domain.clone_into(of);
            }
        }
        Credentials::Kerberos { principal, .. } => {
            let whole = domain.map_or_else(|| user.to_owned(), |realm| format!("{user}@{realm}"));
            principal.get_or_insert(whole);
        }
        Credentials::Guest if user.eq_ignore_ascii_case("guest") => {}
        Credentials::Guest | Credentials::Anonymous => {
            return Err(Error::new(ErrorKind::Unauthenticated, "use the location")
                .because(format!("the user `{user}` is named, but there is no password and no ticket"))
                .hint("give the password, or name no user to connect as a guest"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn address(uri: &str, credentials: Credentials) -> Result<Address> {
        Address::new(&uri.parse().unwrap(), &SmbOptions { credentials, ..SmbOptions::default() })
    }
    fn password() -> Credentials {
        Credentials::Password { user: String::new(), domain: String::new(), password: Secret::new("hush") }
    }

    #[test]
    fn a_uri_says_host_share_directory_and_user() {
        let at = address("smb://LAB;anna@filer:1445/home$/a/b%20c/?sign=required", password()).unwrap();
        assert_eq!((at.host.as_str(), at.port, at.dir.clone()), ("filer", 1445, "a/b c".into()));
        assert_eq!(at.share, names::utf16("home$"));
        assert_eq!(at.options.signing, Demand::Required);
        let Credentials::Password { user, domain, .. } = &at.options.credentials else { panic!() };
        assert_eq!((user.as_str(), domain.as_str()), ("anna", "LAB"));
        assert!(!format!("{at:?}").contains("hush"));
        let at = address("smb://10.0.0.1/share?service=filer.lab.example", Credentials::Guest).unwrap();
        assert_eq!((at.host.as_str(), at.options.service.as_deref()), ("10.0.0.1", Some("filer.lab.example")));
        let at = address("smb://filer/share", Credentials::Guest).unwrap();
        assert_eq!((at.port, at.dir.is_root()), (445, true));
        assert!(address("smb://filer", Credentials::Guest).unwrap().share.is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let kind = |uri: &str, who| address(uri, who).unwrap_err().kind();
        assert_eq!(kind("nfs://filer/x", password()), ErrorKind::Invalid);
        assert_eq!(kind("smb:///share", password()), ErrorKind::Invalid);
        assert_eq!(kind("smb://filer/x?vers=1", password()), ErrorKind::Invalid);
        assert_eq!(kind("smb://filer/x?sign=maybe", password()), ErrorKind::Invalid);
        assert_eq!(kind("smb://filer/x?service=cifs/filer", password()), ErrorKind::Invalid);
        assert_eq!(kind("smb://filer/x?encrypt=required", Credentials::Guest), ErrorKind::Invalid);
        assert_eq!(kind("smb://anna@filer/x", Credentials::Guest), ErrorKind::Unauthenticated);
        assert_eq!(kind("smb://filer/x/../y", password()), ErrorKind::NameRefused);
    }
}

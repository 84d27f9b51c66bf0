//! A session: a connection, who we are on it, and the shares it has open.

use crate::{
    Credentials, Demand, SmbOptions,
    agree::{Agreed, negotiate, offer},
    auth::{Exchange, TargetInfo},
    connection::{Connection, Envelope, Reply, Request},
    crypto::{Keys, Opener, Preauth, Sealer, Signer},
    failure::Failure,
    frame,
    names::{self, utf16},
    wire::{
        cursor::Malformed,
        file::RELATED,
        fs::Volume,
        header::Command,
        ioctl::{self, Control},
        negotiate::{CAP_DFS, CAP_LARGE_MTU, Dialect, Offer, SIGNING_REQUIRED},
        query::{self, What},
        session::{
            self, SESSION_ENCRYPT, SESSION_GUEST, SESSION_NULL, SHARE_CAP_DFS, SHARE_FLAG_DFS, SHARE_FLAG_DFS_ROOT,
            SHARE_FLAG_ENCRYPT, SetupAnswer, TreeAnswer,
        },
        status::Status,
    },
};
use std::{collections::HashMap, net::SocketAddr, sync::Arc};
use tokio::sync::Mutex;

/// More rounds of authentication than any mechanism needs.
const MOST_ROUNDS: usize = 8;
/// Largest token of authentication, bytes: its length is a 16-bit number ([MS-SMB2] 2.2.5). A ticket of somebody who is
/// in very many groups may be larger.
const MOST_TOKEN: usize = u16::MAX as usize;

/// A session on a connection of its own.
#[derive(Debug)]
pub(crate) struct Session {
    pub connection: Connection,
    pub address: SocketAddr,
    pub agreed: Agreed,
    pub target: Option<TargetInfo>,
    /// The server made us a guest or nobody.
    pub guest: bool,
    id: u64,
    signer: Option<Signer>,
    sealer: Option<Sealer>,
    /// Every request is signed, not only those that must be.
    pub sign_all: bool,
    /// Every request is encrypted, whatever the share says.
    pub seal_all: bool,
    host: String,
    trees: Mutex<HashMap<Vec<u16>, Arc<Tree>>>,
}

/// A share that is open in a session.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    id: u32,
    pub answer: TreeAnswer,
    /// Its names are paths of DFS.
    pub dfs: bool,
    /// It is a root of a namespace.
    pub dfs_root: bool,
    seal: bool,
    /// Serial number of the volume; 0 for what is no disk.
    pub volume: u32,
    /// `server\share`, what a path of DFS begins with.
    pub unc: Vec<u16>,
}

impl Tree {
    /// Is it encrypted by demand of the share?
    pub const fn encrypted(&self) -> bool {
        self.seal
    }
}

impl Session {
    /// Connects, negotiates and logs in.
    pub async fn open(host: &str, port: u16, options: &SmbOptions) -> Result<Self, Failure> {
        let (stream, address) = frame::connect(host, port, options.connect_timeout).await?;
        let connection = Connection::new(stream, options.request_timeout, Arc::clone(&options.probe));
        let mut preauth = Preauth::new();
        let offer = offer(host, options);
        let agreed = negotiate(&connection, &offer, &mut preauth).await?;
        let large = agreed.answer.capabilities & CAP_LARGE_MTU != 0;
        connection.negotiated(agreed.max_read.max(agreed.max_transact), large);
        let mut session = login(connection, address, agreed, &offer, host, options, preauth).await?;
        session.protect(options)?;
        session.connection.keep_alive();
        Ok(session)
    }

    fn protect(&mut self, options: &SmbOptions) -> Result<(), Failure> {
        let demanded = self.agreed.answer.security_mode & SIGNING_REQUIRED != 0;
        self.sign_all = (demanded || options.signing == Demand::Required) && self.signer.is_some();
        if options.signing == Demand::Required && self.signer.is_none() {
            return Err(Failure::Unprotected("the session has no key to sign with"));
        }
        if demanded && self.signer.is_none() && !options.credentials.may_be_guest() {
            return Err(Failure::Unprotected("the server demands signing, and the session has no key for it"));
        }
        self.seal_all |= options.encryption == Demand::Required;
        if self.seal_all && self.sealer.is_none() {
            return Err(Failure::Unprotected("encryption is demanded, and the server offers none that is known here"));
        }
        Ok(())
    }

    /// The share, opened when it is not yet.
    pub async fn tree(&self, share: &[u16]) -> Result<Arc<Tree>, Failure> {
        let mut trees = self.trees.lock().await;
        if let Some(tree) = trees.get(share) {
            return Ok(Arc::clone(tree));
        }
        let tree = Arc::new(self.connect_tree(share).await?);
        trees.insert(share.to_vec(), Arc::clone(&tree));
        Ok(tree)
    }

    async fn connect_tree(&self, share: &[u16]) -> Result<Tree, Failure> {
        let unc = [&utf16(&self.host)[..], &[u16::from(b'\\')], share].concat();
        let path = [&utf16("\\\\")[..], &unc].concat();
        if path.len() > names::LONGEST {
            return Err(Failure::TooLong);
        }
        let request = Request::new(Command::TreeConnect, session::tree_connect(&path));
        let mut envelope = self.envelope(None);
        // SMB 3.1.1 demands it, so that nobody in between can change the name of the share.
        envelope.signer = self.signer.as_ref();
        let reply = self.one("TREE_CONNECT", &envelope, request).await?;
        if reply.status() != Status::SUCCESS {
            return Err(if reply.status().ends_session() {
                self.connection.distrust();
                Failure::Status(reply.status())
            } else {
                Failure::Share(reply.status())
            });
        }
        let answer = TreeAnswer::decode(&reply.message)?;
        let seal = answer.flags & SHARE_FLAG_ENCRYPT != 0;
        if seal && self.sealer.is_none() {
            return Err(Failure::Unprotected("the share demands encryption, and the session has no key for it"));
        }
        let mut tree = Tree {
            id: reply.header.tree_id,
            answer,
            dfs: answer.capabilities & SHARE_CAP_DFS != 0 || answer.flags & SHARE_FLAG_DFS != 0,
            dfs_root: answer.flags & SHARE_FLAG_DFS_ROOT != 0,
            seal,
            volume: 0,
            unc,
        };
        if self.agreed.dialect != Dialect::Smb311 && self.signer.is_some() {
            self.validate_negotiate(&tree).await?;
        }
        if answer.kind == 1 {
            tree.volume = self.volume(&tree).await?.map_or(0, |volume| volume.serial);
        }
        Ok(tree)
    }

    /// What the volume of a share says of itself; nothing where its root may not be opened.
    async fn volume(&self, tree: &Tree) -> Result<Option<Volume>, Failure> {
        let name = if tree.dfs { tree.unc.clone() } else { Vec::new() };
        let replies = self
            .exchange(
                "CREATE+QUERY_INFO+CLOSE",
                tree,
                &crate::open::chain(
                    &name,
                    crate::wire::file::access::READ_ATTRIBUTES,
                    0,
                    [Request::bringing(Command::QueryInfo, query::info(&RELATED, What::Volume, 1024), 1024)],
                ),
            )
            .await?;
        if replies[0].status() != Status::SUCCESS {
            return Ok(None);
        }
        match replies[1].good_or_cut() {
            Ok(message) => Ok(Some(Volume::decode(&query::output(message)?)?)),
            Err(_refused) => Ok(None),
        }
    }

    /// Before SMB 3.1.1: the server says again, signed, what it said when nothing was protected ([MS-SMB2] 3.2.5.5).
    /// One that speaks nothing newer than SMB 2.1 may not know the question.
    async fn validate_negotiate(&self, tree: &Tree) -> Result<(), Failure> {
        let input = self.agreed.offer.proof();
        let body = ioctl::request(&[0xFF; 16], Control::ValidateNegotiate, &input, 24);
        let mut envelope = self.envelope(Some(tree));
        envelope.signer = self.signer.as_ref();
        let reply = self.one("IOCTL", &envelope, Request::new(Command::Ioctl, body)).await?;
        match reply.status() {
            // These may come without a signature, from anybody.
            status if status.ends_session() => {
                self.connection.distrust();
                Err(Failure::Status(status))
            }
            Status::SUCCESS if self.agreed.answer.is_confirmed_by(&ioctl::output(&reply.message)?) => Ok(()),
            Status::SUCCESS => Err(Failure::Tampered("the server now says other things than when we connected")),
            // Servers that do not know the question answer, signed, with an error: nothing was changed.
            status if status.is_error() => Ok(()),
            _ => Err(Failure::Malformed(Malformed("it neither confirms nor denies what was negotiated"))),
        }
    }

    /// Whose a request is, and how it goes out.
    pub fn envelope(&self, tree: Option<&Tree>) -> Envelope<'_> {
        let seal = self.seal_all || tree.is_some_and(|tree| tree.seal);
        Envelope {
            session_id: self.id,
            tree_id: tree.map_or(0, |tree| tree.id),
            dfs: tree.is_some_and(|tree| tree.dfs),
            signer: if self.sign_all { self.signer.as_ref() } else { None },
            sealer: if seal { self.sealer.as_ref() } else { None },
        }
    }

    /// Sends a chain to a share and waits for every answer.
    pub async fn exchange(&self, op: &'static str, tree: &Tree, requests: &[Request]) -> Result<Vec<Reply>, Failure> {
        let replies = self.connection.exchange(op, &self.envelope(Some(tree)), requests).await?;
        if let Some(lost) = replies.iter().map(Reply::status).find(|status| status.ends_session()) {
            // The next request gets a session of its own.
            self.connection.distrust();
            return Err(Failure::Status(lost));
        }
        Ok(replies)
    }

    async fn one(&self, op: &'static str, envelope: &Envelope<'_>, request: Request) -> Result<Reply, Failure> {
        let mut replies = self.connection.exchange(op, envelope, &[request]).await?;
        Ok(replies.swap_remove(0))
    }

    /// Sends a request to a share and waits for the answer.
    pub async fn request(&self, op: &'static str, tree: &Tree, request: Request) -> Result<Reply, Failure> {
        let mut replies = self.exchange(op, tree, &[request]).await?;
        Ok(replies.swap_remove(0))
    }

    /// Largest READ just now, bytes.
    pub fn read_room(&self) -> u32 {
        self.agreed.max_read.min(self.connection.room())
    }

    /// Largest answer of anything else just now, bytes.
    pub fn transact_room(&self) -> u32 {
        self.agreed.max_transact.min(self.connection.room())
    }
}

fn setup(offer: &Offer, token: &[u8]) -> Result<Request, Failure> {
    if token.len() > MOST_TOKEN {
        return Err(Failure::Authentication("the token is larger than the 64 KiB that a request can say"));
    }
    Ok(Request::new(Command::SessionSetup, session::setup(offer.security_mode, CAP_DFS, token)))
}

async fn login(
    connection: Connection,
    address: SocketAddr,
    agreed: Agreed,
    offer: &Offer,
    host: &str,
    options: &SmbOptions,
    mut preauth: Preauth,
) -> Result<Session, Failure> {
    let service = options.service.as_deref().unwrap_or(host);
    let (mut exchange, mut token) = Exchange::begin(&options.credentials, service, &agreed.answer.token).await?;
    let mut id = 0;
    for _ in 0..MOST_ROUNDS {
        let request = setup(offer, &token)?;
        let reply = connection.handshake("SESSION_SETUP", id, request, &mut preauth).await?;
        id = reply.header.session_id;
        match reply.status() {
            Status::MORE_PROCESSING_REQUIRED => {
                preauth.add(&reply.message);
                let answer = SetupAnswer::decode(&reply.message)?;
                let next = exchange.answer(&answer.token).await?;
                token = next.ok_or(Failure::Authentication("the server asks for more than there is to say"))?;
            }
            Status::SUCCESS => {
                let answer = SetupAnswer::decode(&reply.message)?;
                exchange.finish(&answer.token).await?;
                let guest = answer.flags & (SESSION_GUEST | SESSION_NULL) != 0;
                if guest && !options.credentials.may_be_guest() {
                    return Err(Failure::MadeGuest);
                }
                let secret = exchange.session_key()?;
                let mut session = Session {
                    connection,
                    address,
                    target: exchange.target().cloned(),
                    guest,
                    id,
                    signer: None,
                    sealer: None,
                    sign_all: false,
                    seal_all: answer.flags & SESSION_ENCRYPT != 0,
                    host: host.to_owned(),
                    trees: Mutex::default(),
                    agreed,
                };
                if !guest && !secret.is_empty() {
                    session.take_keys(&secret, &preauth);
                    session.check_proof(&reply)?;
                }
                return Ok(session);
            }
            status => return Err(Failure::Login(status)),
        }
    }
    Err(Failure::Authentication("the server never comes to an end with authentication"))
}

impl Session {
    fn take_keys(&mut self, secret: &[u8], preauth: &Preauth) {
        let Agreed { dialect, cipher, signing, .. } = self.agreed;
        let keys = Keys::derive(dialect, cipher, secret, preauth);
        self.signer = Some(Signer::new(signing, &keys.signing));
        if let Some(cipher) = cipher {
            self.sealer = Some(Sealer::new(cipher, &keys.sealing, self.id));
            self.connection.decrypt_with(Opener::new(cipher, &keys.opening, self.id));
        }
    }

    /// The last answer of authentication is signed: only who has the keys can do that ([MS-SMB2] 3.2.5.3.1).
    fn check_proof(&self, reply: &Reply) -> Result<(), Failure> {
        let signed = reply.header.flags & crate::wire::header::FLAG_SIGNED != 0;
        let Some(signer) = &self.signer else { return Ok(()) };
        if !signed {
            return if self.agreed.dialect == Dialect::Smb311 {
                Err(Failure::Tampered("the server does not sign the end of authentication"))
            } else {
                Ok(())
            };
        }
        if signer.fits(&reply.message, reply.header.message_id, &reply.header.signature) {
            Ok(())
        } else {
            Err(Failure::Tampered("the server signs the end of authentication with another key"))
        }
    }
}

impl Session {
    /// Who the credentials are, for messages.
    pub fn who(credentials: &Credentials) -> String {
        match credentials {
            Credentials::Password { user, domain, .. } if domain.is_empty() => format!("user `{user}`"),
            Credentials::Password { user, domain, .. } => format!("user `{domain}\\{user}`"),
            Credentials::Kerberos { principal: Some(principal), .. } => format!("principal `{principal}`"),
            Credentials::Kerberos { principal: None, .. } => "the principal of the ticket".to_owned(),
            Credentials::Guest => "a guest".to_owned(),
            Credentials::Anonymous => "nobody".to_owned(),
        }
    }
    /// The name of a share for messages.
    pub fn shown(share: &[u16]) -> String {
        names::text(&names::le_bytes(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        scripted::{Say, Scripted, guest},
        wire::negotiate::Signing,
    };

    /// How a share is opened in a session with a key, where the proof is answered so.
    async fn proved(dialect: Dialect, proof: fn() -> Say) -> Result<Arc<Tree>, Failure> {
        let key = || Signer::new(Signing::HmacSha256, &[1; 16]);
        let script =
            move |request: &crate::scripted::Asked| if request.is(Command::Ioctl) { proof() } else { Say::Usual };
        let scripted = Scripted::at(0, Some(key()), script).await;
        let mut session = Session::open("127.0.0.1", scripted.port, &guest()).await.unwrap();
        session.signer = Some(key());
        session.agreed.dialect = dialect;
        session.tree(&utf16("share")).await
    }

    #[tokio::test]
    async fn what_was_negotiated_is_confirmed_with_a_signature_or_not_at_all() {
        for dialect in [Dialect::Smb210, Dialect::Smb300, Dialect::Smb302] {
            let done = proved(dialect, || Say::Unsigned(Status::USER_SESSION_DELETED)).await;
            assert!(matches!(done, Err(Failure::Status(Status::USER_SESSION_DELETED))), "{dialect}: {done:?}");
            let done = proved(dialect, || Say::Unsigned(Status::NOT_SUPPORTED)).await;
            assert!(matches!(done, Err(Failure::Tampered(_))), "{dialect}: {done:?}");
            let done = proved(dialect, || crate::scripted::controlled(&[0; 24])).await;
            assert!(matches!(done, Err(Failure::Tampered(_))), "{dialect}: {done:?}");
            proved(dialect, || Say::Refuse(Status::NOT_SUPPORTED)).await.unwrap();
        }
        // The hash over what was negotiated is in the keys.
        proved(Dialect::Smb311, || Say::HangUp).await.unwrap();
    }

    #[test]
    fn a_token_that_no_request_can_say_is_refused() {
        let offer = offer("server", &guest());
        assert!(setup(&offer, &vec![0; MOST_TOKEN]).is_ok());
        assert!(matches!(setup(&offer, &vec![0; MOST_TOKEN + 1]), Err(Failure::Authentication(_))));
    }
}

//! The talk with one service.

use crate::{
    Credentials, Error, Mechanism, Reason,
    library::{self, Buffer, Gss, Handle, KeyValue, KeyValues, Oid, Set, gss},
};
use std::{
    ffi::CString,
    fmt, ptr,
    sync::atomic::{AtomicU64, Ordering},
};

const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
const NEGOTIATE: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// `GSS_C_NT_HOSTBASED_SERVICE`, 1.2.840.113554.1.2.1.4.
const SERVICE_NAME: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04";
/// `GSS_C_NT_USER_NAME`, 1.2.840.113554.1.2.1.1.
const USER_NAME: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x01";
/// `GSS_C_INQ_SSPI_SESSION_KEY`, 1.2.840.113554.1.2.2.5.5.
const SESSION_KEY: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x05\x05";
/// Mutual authentication, replay and sequence detection, integrity (RFC 2744, 5.19).
const FLAGS: u32 = 2 | 4 | 8 | 32;
/// `GSS_C_INITIATE`.
const INITIATE: i32 = 1;
/// `GSS_S_CONTINUE_NEEDED`.
const CONTINUE: u32 = 1;
/// Largest token that we hand to the library, bytes. Tickets with many groups come to some 64 KiB.
const LARGEST_TOKEN: usize = 1 << 20;

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// To be sent to the service; `None` when there is nothing to say any more.
    pub token: Option<Vec<u8>>,
    /// Both sides have proved who they are.
    pub done: bool,
}

/// The talk with one service.
pub struct Context {
    gss: &'static Gss,
    talk: Handle,
    credentials: Handle,
    service: Handle,
    mechanism: &'static [u8],
    done: bool,
}

// SAFETY: the library lets any thread use a context, one at a time; all methods that touch it take `&mut self`
// or only read what is settled.
unsafe impl Send for Context {}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("done", &self.done).finish_non_exhaustive()
    }
}

impl Context {
    /// Prepares to talk to `service`, such as `cifs@filer01.example.com` or `HTTP@namenode`. Gets a ticket for
    /// the user first where a keytab is given. Blocks.
    ///
    /// Errors: `NoLibrary`, `NoTicket`, `NoKdc`, `ClockSkew`, `Other` when a path holds a NUL.
    pub fn initiate(service: &str, credentials: &Credentials, mechanism: Mechanism) -> Result<Self, Error> {
        let gss = gss()?;
        let mechanism = match mechanism {
            Mechanism::Kerberos => KERBEROS,
            Mechanism::Negotiate => NEGOTIATE,
        };
        let mut context = Self {
            gss,
            talk: ptr::null_mut(),
            credentials: ptr::null_mut(),
            service: ptr::null_mut(),
            mechanism,
            done: false,
        };
        context.service = name(gss, service, SERVICE_NAME)?;
        if *credentials != Credentials::default() {
            context.credentials = acquire(gss, credentials, mechanism)?;
        }
        Ok(context)
    }

    /// Takes what the service said (`None` at first) and gives what to say next. Blocks.
    ///
    /// Errors: any [`Reason`].
    pub fn step(&mut self, answer: Option<&[u8]>) -> Result<Step, Error> {
        let doing = "prove who we are";
        if answer.is_some_and(|answer| answer.len() > LARGEST_TOKEN) {
            return Err(Error::new(Reason::Refused, doing, "the token of the server is far too long"));
        }
        let input = answer.map_or(Buffer::empty(), Buffer::lend);
        let mechanism = Oid::lend(self.mechanism);
        let (mut minor, mut output) = (0, Buffer::empty());
        // SAFETY: handles came from this library or are null, which it takes for "none"; the buffers and the
        // object identifier live through the call.
        let major = unsafe {
            (self.gss.init_sec_context)(
                &raw mut minor,
                self.credentials,
                &raw mut self.talk,
                self.service,
                &raw const mechanism,
                FLAGS,
                0,
                ptr::null(),
                &raw const input,
                ptr::null_mut(),
                &raw mut output,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        let token = self.gss.take(&mut output);
        self.gss.check(doing, major, minor)?;
        self.done = major & CONTINUE == 0;
        Ok(Step { token: (!token.is_empty()).then_some(token), done: self.done })
    }

    /// The key that both sides now share, as [MS-SMB2] 3.2.5.3.1 wants it. Only after the last step.
    ///
    /// Errors: `Refused` before the talk is done, `Other` when the library does not tell.
    pub fn session_key(&self) -> Result<Vec<u8>, Error> {
        let doing = "get the session key";
        if !self.done {
            return Err(Error::new(Reason::Refused, doing, "the server has not answered yet"));
        }
        let (wanted, mut minor, mut found) = (Oid::lend(SESSION_KEY), 0, ptr::null_mut());
        // SAFETY: the context is established; `found` is a local that the library fills.
        let major = unsafe { (self.gss.inquire_by_oid)(&raw mut minor, self.talk, &raw const wanted, &raw mut found) };
        self.gss.check(doing, major, minor)?;
        let key = if found.is_null() { Vec::new() } else { first(found) };
        // SAFETY: the set came from the library; releasing none does nothing.
        unsafe { (self.gss.release_buffer_set)(&raw mut minor, &raw mut found) };
        if key.is_empty() {
            return Err(Error::new(Reason::Other, doing, "the library does not tell it"));
        }
        Ok(key)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: each handle is null or came from the library, and is given back once; releasing null does nothing.
        unsafe {
            if !self.talk.is_null() {
                (self.gss.delete_sec_context)(&raw mut minor, &raw mut self.talk, ptr::null_mut());
            }
            if !self.credentials.is_null() {
                (self.gss.release_cred)(&raw mut minor, &raw mut self.credentials);
            }
            if !self.service.is_null() {
                (self.gss.release_name)(&raw mut minor, &raw mut self.service);
            }
        }
    }
}

/// Bytes of the first buffer of a set; the second names the type of the key.
fn first(set: *const Set<Buffer>) -> Vec<u8> {
    // SAFETY: not null (the caller looked), and filled by the library.
    let set = unsafe { &*set };
    if set.count == 0 || set.elements.is_null() {
        return Vec::new();
    }
    // SAFETY: the set has at least one element.
    let buffer = unsafe { &*set.elements };
    if buffer.value.is_null() {
        return Vec::new();
    }
    // SAFETY: the library says that `length` bytes lie there.
    unsafe { std::slice::from_raw_parts(buffer.value.cast::<u8>(), buffer.length) }.to_vec()
}

fn name(gss: &Gss, text: &str, kind: &'static [u8]) -> Result<Handle, Error> {
    let (buffer, kind) = (Buffer::lend(text.as_bytes()), Oid::lend(kind));
    let (mut minor, mut name) = (0, ptr::null_mut());
    // SAFETY: the buffers live through the call; `name` is a local that the library fills.
    let major = unsafe { (gss.import_name)(&raw mut minor, &raw const buffer, &raw const kind, &raw mut name) };
    gss.check("read a name", major, minor)?;
    Ok(name)
}

fn acquire(gss: &Gss, wanted: &Credentials, mechanism: &'static [u8]) -> Result<Handle, Error> {
    static CACHES: AtomicU64 = AtomicU64::new(0);
    let c_text = |text: String| {
        CString::new(text).map_err(|_| Error::new(Reason::Other, "log in", "a path of the credentials holds a NUL"))
    };
    let keytab = wanted.keytab.as_ref().map(|path| c_text(format!("FILE:{}", path.display()))).transpose()?;
    // Tickets from a keytab are nobody else's business.
    let number = CACHES.fetch_add(1, Ordering::Relaxed);
    let memory = keytab.is_some().then(|| format!("MEMORY:longshore-{number}"));
    let ccache = wanted.ccache.clone().or(memory).map(c_text).transpose()?;
    let mut store: Vec<KeyValue> = [(library::CLIENT_KEYTAB, &keytab), (library::CCACHE, &ccache)]
        .into_iter()
        .filter_map(|(key, value)| Some(KeyValue { key: key.as_ptr(), value: value.as_ref()?.as_ptr() }))
        .collect();
    let count = u32::try_from(store.len()).expect("two at most");
    let store = KeyValues { count, elements: store.as_mut_ptr() };
    let mut user = match &wanted.principal {
        Some(principal) => name(gss, principal, USER_NAME)?,
        None => ptr::null_mut(),
    };
    let mut mechanism = Oid::lend(mechanism);
    let mechanisms = Set { count: 1, elements: &raw mut mechanism };
    let (mut minor, mut credentials) = (0, ptr::null_mut());
    // SAFETY: names, sets and texts are locals that live through the call; outputs that are null are not wanted.
    let major = unsafe {
        (gss.acquire_cred_from)(
            &raw mut minor,
            user,
            0,
            &raw const mechanisms,
            INITIATE,
            &raw const store,
            &raw mut credentials,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    let mut ignored = 0;
    // SAFETY: the name came from the library, or is null, which is left alone.
    unsafe {
        if !user.is_null() {
            (gss.release_name)(&raw mut ignored, &raw mut user);
        }
    }
    gss.check("log in", major, minor)?;
    Ok(credentials)
}

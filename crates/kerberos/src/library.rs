//! The C functions of GSSAPI (RFC 2744) that we call, found in the host's library.

use crate::{Error, Reason};
use libloading::Library;
use std::{
    ffi::{CStr, c_char, c_void},
    ptr,
    sync::OnceLock,
};

/// `gss_buffer_desc`.
#[repr(C)]
pub(crate) struct Buffer {
    pub length: usize,
    pub value: *mut c_void,
}
impl Buffer {
    pub(crate) const fn empty() -> Self {
        Self { length: 0, value: ptr::null_mut() }
    }
    /// Lends bytes to a call that only reads them.
    pub(crate) const fn lend(bytes: &[u8]) -> Self {
        Self { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
    }
}

/// `gss_OID_desc`.
#[repr(C)]
pub(crate) struct Oid {
    length: u32,
    elements: *mut c_void,
}
impl Oid {
    pub(crate) fn lend(bytes: &'static [u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("an object identifier is a few bytes");
        Self { length, elements: bytes.as_ptr().cast_mut().cast() }
    }
}

/// `gss_OID_set_desc`, also `gss_buffer_set_desc`: a count and elements.
#[repr(C)]
pub(crate) struct Set<T> {
    pub count: usize,
    pub elements: *mut T,
}

/// `gss_key_value_element_desc` of MIT's credential store extension.
#[repr(C)]
pub(crate) struct KeyValue {
    pub key: *const c_char,
    pub value: *const c_char,
}
/// `gss_key_value_set_desc`.
#[repr(C)]
pub(crate) struct KeyValues {
    pub count: u32,
    pub elements: *mut KeyValue,
}

/// Names, credentials and contexts: pointers that only the library understands.
pub(crate) type Handle = *mut c_void;

macro_rules! functions {
    ($($field:ident : $symbol:literal fn($($argument:ty),* $(,)?);)*) => {
        /// The functions, checked to be there.
        pub(crate) struct Gss {
            $(pub $field: unsafe extern "C" fn($($argument),*) -> u32,)*
            _library: Library,
        }
        fn load(library: Library) -> Result<Gss, libloading::Error> {
            $(
                // SAFETY: the signature is the one of RFC 2744 (or of MIT's gssapi_ext.h) for this symbol, and the
                // library stays open as long as the pointer: it is in the same struct.
                let $field = unsafe {
                    *library.get::<unsafe extern "C" fn($($argument),*) -> u32>($symbol)?
                };
            )*
            Ok(Gss { $($field,)* _library: library })
        }
    };
}

functions! {
    import_name: b"gss_import_name\0" fn(*mut u32, *const Buffer, *const Oid, *mut Handle);
    release_name: b"gss_release_name\0" fn(*mut u32, *mut Handle);
    acquire_cred_from: b"gss_acquire_cred_from\0"
        fn(*mut u32, Handle, u32, *const Set<Oid>, i32, *const KeyValues, *mut Handle, *mut Handle, *mut u32);
    release_cred: b"gss_release_cred\0" fn(*mut u32, *mut Handle);
    init_sec_context: b"gss_init_sec_context\0"
        fn(
            *mut u32, Handle, *mut Handle, Handle, *const Oid, u32, u32, *const c_void, *const Buffer, *mut c_void,
            *mut Buffer, *mut u32, *mut u32,
        );
    delete_sec_context: b"gss_delete_sec_context\0" fn(*mut u32, *mut Handle, *mut Buffer);
    release_buffer: b"gss_release_buffer\0" fn(*mut u32, *mut Buffer);
    inquire_by_oid: b"gss_inquire_sec_context_by_oid\0" fn(*mut u32, Handle, *const Oid, *mut *mut Set<Buffer>);
    release_buffer_set: b"gss_release_buffer_set\0" fn(*mut u32, *mut *mut Set<Buffer>);
    display_status: b"gss_display_status\0" fn(*mut u32, u32, i32, *const Oid, *mut u32, *mut Buffer);
}

/// Names that the library goes by, most common first.
const NAMES: [&str; 4] =
    ["libgssapi_krb5.so.2", "libgssapi_krb5.so", "libgssapi.so.3", "/System/Library/Frameworks/GSS.framework/GSS"];

/// The host's library; opened once.
pub(crate) fn gss() -> Result<&'static Gss, Error> {
    static GSS: OnceLock<Result<Gss, String>> = OnceLock::new();
    GSS.get_or_init(|| {
        let mut said = String::new();
        for name in NAMES {
            // SAFETY: opening runs the initialisers of the host's own Kerberos library, which has none that
            // matter to us.
            match unsafe { Library::new(name) }.and_then(load) {
                Ok(gss) => return Ok(gss),
                Err(error) if said.is_empty() => said = error.to_string(),
                Err(_) => {}
            }
        }
        Err(said)
    })
    .as_ref()
    .map_err(|said| Error::new(Reason::NoLibrary, "log in", said.clone()))
}

impl Gss {
    /// Fails with the words of the library when a call did.
    pub(crate) fn check(&self, doing: &'static str, major: u32, minor: u32) -> Result<(), Error> {
        // Calling and routine errors; the lower half is supplementary information (RFC 2744, 3.9.1).
        if major & 0xffff_0000 == 0 {
            return Ok(());
        }
        let general = self.words(major, 1);
        let precise = if minor == 0 { String::new() } else { self.words(minor, 2) };
        let said = match (general.is_empty(), precise.is_empty()) {
            (_, true) => general,
            (true, false) => precise,
            // "Unspecified GSS failure. Minor code may provide more information" says nothing, nor does
            // "No credentials were supplied, or the credentials were unavailable or inaccessible".
            (false, false) if matches!((major >> 16) & 0xff, 7 | 13) => precise,
            (false, false) => format!("{general}: {precise}"),
        };
        Err(Error::from_status(doing, major, minor, said))
    }

    fn words(&self, code: u32, kind: i32) -> String {
        let (mut minor, mut more, mut text) = (0, 0, Buffer::empty());
        // SAFETY: all pointers are to locals that live through the call; a null mechanism means any.
        let status =
            unsafe { (self.display_status)(&raw mut minor, code, kind, ptr::null(), &raw mut more, &raw mut text) };
        if status == 0 {
            String::from_utf8_lossy(&self.take(&mut text)).into_owned()
        } else {
            format!("code {code:#x}")
        }
    }

    /// Copies what the library allocated, and gives it back.
    pub(crate) fn take(&self, buffer: &mut Buffer) -> Vec<u8> {
        let bytes = if buffer.value.is_null() || buffer.length == 0 {
            Vec::new()
        } else {
            // SAFETY: the library says that `length` bytes lie there, and keeps them until they are released.
            unsafe { std::slice::from_raw_parts(buffer.value.cast::<u8>(), buffer.length) }.to_vec()
        };
        let mut minor = 0;
        // SAFETY: the buffer came from the library; releasing an empty one does nothing.
        unsafe { (self.release_buffer)(&raw mut minor, &raw mut *buffer) };
        bytes
    }
}

/// A key of the credential store.
pub(crate) const CLIENT_KEYTAB: &CStr = c"client_keytab";
/// A key of the credential store.
pub(crate) const CCACHE: &CStr = c"ccache";

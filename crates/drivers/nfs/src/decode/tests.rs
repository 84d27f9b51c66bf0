//! Every decoder of a reply against replies of nfs-ganesha, whole, cut and mutilated.

use super::*;
use crate::mutations::{mutilated, pester};

macro_rules! decoders {
    ($($name:ident $file:literal $decode:expr;)*) => {$(
        #[test]
        fn $name() {
            let decode: fn(&Bytes) -> Result<usize, Failure> = $decode;
            let captured = include_bytes!(concat!("captured/", $file));
            pester($file, captured, |raw| decode(&raw.into()));
            let more = [&captured[..], &[0; 4]].concat();
            assert!(decode(&more.into()).is_err(), "something after it is overlooked");
        }
    )*};
}

decoders! {
    reply_to_getattr "getattr" |r| attributes(r).map(|_| 0);
    reply_to_lookup "lookup" |r| found(r).map(|f| f.handle.len());
    reply_to_readlink "readlink" |r| link_target(r).map(|target| target.len());
    reply_to_read "read" |r| content(r).map(|content| content.data.len());
    reply_to_readdir "readdir" |r| listing_plain(r).map(|listing| held(&listing));
    reply_to_readdirplus "readdirplus" |r| listing_plus(r).map(|listing| held(&listing));
    reply_to_fsstat "fsstat" |r| volume(r).map(|_| 0);
    reply_to_fsinfo "fsinfo" |r| limits(r).map(|_| 0);
    reply_to_pathconf "pathconf" |r| name_limits(r).map(|_| 0);
    reply_to_mnt "mnt" |r| root(r).map(|root| root.handle.len() + 4 * root.auth_flavors.capacity());
    reply_to_export "export" |r| {
        exports(r).map(|list| {
            let groups = |e: &Export| e.path.len() + e.groups.iter().map(|g| 24 + g.capacity()).sum::<usize>();
            list.capacity() * size_of::<Export>() + list.iter().map(groups).sum::<usize>()
        })
    };
    reply_to_getport "getport" |r| port(r).map(|_| 0);
}

#[test]
fn reply_to_lookup_that_is_refused() {
    let captured = include_bytes!("captured/lookup-noent");
    assert!(matches!(found(&Bytes::from_static(captured)), Err(Failure::Status(nfsstat3::NFS3ERR_NOENT))));
    mutilated("lookup-noent", captured, |raw| found(&raw.into()).map_or(0, |found| found.handle.len()));
}

fn held(listing: &Listing<'_>) -> usize {
    listing.entries.capacity() * size_of::<Listed<'_>>()
}

#[test]
fn what_a_real_server_sent_is_understood() {
    let plus = Bytes::from_static(include_bytes!("captured/readdirplus"));
    let plus = listing_plus(&plus).unwrap();
    assert!(plus.entries.iter().any(|e| e.name == b"caf\xe9\xff" && e.handle.is_some() && e.attributes.is_some()));
    let data = content(&Bytes::from_static(include_bytes!("captured/read"))).unwrap();
    assert_eq!((&data.data[..], data.end), (&b"content of a file\n"[..], true));
}

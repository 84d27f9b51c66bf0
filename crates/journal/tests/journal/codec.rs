use crate::samples;
use journal::{Flaw, decode, encode};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_record_comes_back_from_its_bytes_and_leaves_the_rest(record in samples::record(), rest in any::<[u8; 3]>()) {
        let mut bytes = Vec::new();
        encode(&record, &mut bytes);
        bytes.extend_from_slice(&rest);
        let mut from = &bytes[..];
        prop_assert_eq!(decode(&mut from), Ok(record));
        prop_assert_eq!(from, &rest[..]);
    }

    #[test]
    fn no_beginning_of_a_record_is_a_record(record in samples::record()) {
        let mut bytes = Vec::new();
        encode(&record, &mut bytes);
        for len in 0..bytes.len() {
            prop_assert!(decode(&mut &bytes[..len]).is_err(), "{} of {} bytes", len, bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut from = &bytes[..];
        if decode(&mut from).is_ok() {
            prop_assert!(from.len() < bytes.len());
        }
    }
}

#[test]
fn what_this_version_does_not_know_is_named() {
    assert_eq!(decode(&mut &[10, 0][..]), Err(Flaw::Unknown { what: "record", tag: 10 }));
    // An intent at the root whose stamp has an unknown part.
    assert_eq!(decode(&mut &[2, 0, 0x30, 0][..]), Err(Flaw::Unknown { what: "part of a stamp", tag: 0x30 }));
}

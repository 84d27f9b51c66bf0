//! Quotas of users: what the volume says of them, of us, and, to who may know, of everybody.

use crate::{
    client::Place,
    connection::Request,
    failure::Failure,
    look,
    names::utf16,
    open::{self, Handle},
    wire::{
        file::{access, option},
        fs::{FsAttributes, FullSize},
        header::Command,
        query::{self, What},
        quota::{self, Control, UserQuota},
        status::Status,
    },
};

/// Most users that are told.
const MOST_USERS: usize = 1000;
/// Room for some users, bytes.
const ROOM: u32 = 64 << 10;
/// `FILE_VOLUME_QUOTAS` ([MS-FSCC] 2.5.1).
const VOLUME_QUOTAS: u32 = 0x20;

/// Quotas of a volume. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// More than the limit is refused; otherwise it is only counted.
    pub enforced: bool,
    /// Of users who have no quota of their own: from when on the server warns.
    pub default_warning: Option<u64>,
    /// Of users who have no quota of their own: the most they may have.
    pub default_limit: Option<u64>,
    /// What we may have and may still write, where the volume has more than that.
    pub own: Option<OwnQuota>,
    /// Users and what they have, the first thousand; `None` where only administrators may know.
    pub users: Option<Vec<UserQuota>>,
}

/// The quota of the user who asks. Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnQuota {
    /// The most we may have.
    pub limit: u64,
    /// What we may still write.
    pub available: u64,
}

impl OwnQuota {
    fn of(size: &FullSize) -> Option<Self> {
        (size.available < size.free).then_some(Self { limit: size.total, available: size.available })
    }
}

/// What the server tells of quotas; nothing where it has none or does not tell.
pub(crate) async fn of(place: &Place) -> Result<Option<Quotas>, Failure> {
    let middle = vec![look::info(What::FsAttributes), look::info(What::Control), look::info(What::FullSize)];
    let op = "CREATE+QUERY_INFO(quota)+CLOSE";
    let replies = open::visit(place, op, access::READ_ATTRIBUTES, option::BACKUP, middle).await?;
    let attributes = FsAttributes::decode(&query::output(replies[0].good_or_cut()?)?)?.attributes;
    let own = match replies[2].good() {
        Ok(message) => OwnQuota::of(&FullSize::decode(&query::output(message)?)?),
        Err(_refused) => None,
    };
    let control = match replies[1].good() {
        Ok(message) if attributes & VOLUME_QUOTAS != 0 => Some(Control::decode(&query::output(message)?)?),
        // Windows tells it to administrators only.
        _ => None,
    };
    match control {
        Some(Control { tracked: true, enforced, default_warning, default_limit }) => {
            let users = users(place).await?;
            Ok(Some(Quotas { enforced, default_warning, default_limit, own, users }))
        }
        Some(Control { tracked: false, .. }) => Ok(None),
        None => Ok(own.map(|own| Quotas {
            enforced: true,
            default_warning: None,
            default_limit: None,
            own: Some(own),
            users: None,
        })),
    }
}

/// All users, where we may know them.
async fn users(place: &Place) -> Result<Option<Vec<UserQuota>>, Failure> {
    let index = Place { name: crate::client::joined(&place.name, &utf16(quota::INDEX)), ..place.clone() };
    let rights = access::READ_DATA | access::READ_ATTRIBUTES;
    let handle = match Handle::open(&index, "CREATE(quota)", rights, 0, Vec::new()).await {
        Ok((handle, _, _)) => handle,
        Err(Failure::Status(_)) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let mut found = Vec::new();
    let mut restart = true;
    while found.len() < MOST_USERS {
        let body = quota::request(handle.id(), restart, ROOM);
        let reply = handle.request("QUERY_INFO(quota)", Request::bringing(Command::QueryInfo, body, ROOM)).await?;
        match reply.status() {
            Status::NO_MORE_ENTRIES | Status::NO_MORE_FILES => break,
            Status::SUCCESS | Status::BUFFER_OVERFLOW => {}
            _ if restart => return Ok(None),
            _ => break,
        }
        let some = quota::users(&query::output(&reply.message)?)?;
        if some.is_empty() {
            break;
        }
        found.extend(some);
        restart = false;
    }
    found.truncate(MOST_USERS);
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_of_our_own_shows_in_what_is_available() {
        let size = |available| FullSize { total: 1000, available, free: 500 };
        assert_eq!(OwnQuota::of(&size(500)), None);
        assert_eq!(OwnQuota::of(&size(100)), Some(OwnQuota { limit: 1000, available: 100 }));
    }
}

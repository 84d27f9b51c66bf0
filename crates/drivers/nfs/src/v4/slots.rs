//! The slot table of a session (RFC 8881, section 2.10.6.1): one request in flight for each slot, each with the
//! slot's next sequence number.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots that a server granted.
#[derive(Debug)]
pub(crate) struct Slots {
    permits: Arc<Semaphore>,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    /// The number that the next request of each slot carries.
    next: Vec<u32>,
    free: BTreeSet<u32>,
    busy: BTreeSet<u32>,
    /// Slots that the server wants to be used now.
    limit: u32,
    /// Slots to be withdrawn as soon as they come free.
    owed: u32,
    /// Slots that are never used again.
    lost: u32,
}

/// A slot with a request in flight. When it is dropped without [`Slot::settle`], nobody knows whether the server
/// counted the request, so the slot is never used again.
#[derive(Debug)]
pub(crate) struct Slot {
    pub id: u32,
    pub sequence: u32,
    /// The highest slot in use.
    pub highest: u32,
    slots: Arc<Slots>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub fn new(granted: u32) -> Arc<Self> {
        let granted = granted.clamp(1, 1024);
        let count = usize::try_from(granted).expect("at most 1024");
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(count)),
            table: Mutex::new(Table {
                // RFC 8881, section 2.10.6.1: the first request of a slot carries 1.
                next: vec![1; count],
                free: (0..granted).collect(),
                busy: BTreeSet::new(),
                limit: granted,
                owed: 0,
                lost: 0,
            }),
        })
    }

    /// The lowest free slot, as soon as there is one.
    pub async fn acquire(self: &Arc<Self>) -> Slot {
        let permit = self.permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let mut table = self.table();
        let id = table.free.pop_first().expect("there are no more permits than slots");
        table.busy.insert(id);
        let highest = *table.busy.last().expect("one was put in");
        let sequence = table.next[usize::try_from(id).expect("at most 1024")];
        drop(table);
        Slot { id, sequence, highest, slots: Arc::clone(self), permit: Some(permit) }
    }

    /// The server wants no slot above `highest` to be used (`sr_target_highest_slotid`).
    pub fn aim_at(&self, highest: u32) {
        let mut table = self.table();
        let all = u32::try_from(table.next.len()).expect("at most 1024");
        let limit = highest.saturating_add(1).clamp(1, all);
        if limit < table.limit {
            let less = table.limit - limit;
            let taken = self.permits.forget_permits(usize::try_from(less).expect("at most 1024"));
            table.owed += less - u32::try_from(taken).expect("at most 1024");
        } else {
            let more = limit - table.limit;
            let paid = more.min(table.owed);
            table.owed -= paid;
            self.permits.add_permits(usize::try_from(more - paid).expect("at most 1024"));
        }
        table.limit = limit;
    }

    /// Are so many slots lost to requests without an answer that another session is better?
    pub fn is_worn(&self) -> bool {
        let table = self.table();
        // With as many lost as may be in use, none may be left at all.
        table.lost >= table.limit || usize::try_from(table.lost).expect("at most 1024") * 2 >= table.next.len()
    }

    /// Nothing under this lock can leave the table half done.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The answer is there. `counted`: the server took the request as this slot's next one (its SEQUENCE succeeded).
    pub fn settle(mut self, counted: bool) {
        let mut table = self.slots.table();
        if counted {
            let place = usize::try_from(self.id).expect("at most 1024");
            table.next[place] = table.next[place].wrapping_add(1);
        }
        table.busy.remove(&self.id);
        table.free.insert(self.id);
        let permit = self.permit.take();
        if table.owed > 0 {
            table.owed -= 1;
            permit.expect("it is taken only here and in drop").forget();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
            self.slots.table().lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn a_slot_counts_what_the_server_counted() {
        let slots = Slots::new(2);
        let acquire = || slots.acquire().now_or_never();
        let first = acquire().unwrap();
        assert_eq!((first.id, first.sequence, first.highest), (0, 1, 0));
        let second = acquire().unwrap();
        assert_eq!((second.id, second.highest), (1, 1));
        assert!(acquire().is_none());
        first.settle(true);
        assert_eq!(acquire().map(|slot| (slot.id, slot.sequence, slot.highest)), Some((0, 2, 1)));
        // That one was dropped unsettled and is lost; this one was refused and carries its number again.
        second.settle(false);
        assert_eq!(acquire().map(|slot| (slot.id, slot.sequence)), Some((1, 1)));
    }

    #[test]
    fn a_server_may_want_fewer_slots_and_more_again() {
        let slots = Slots::new(4);
        let acquire = || slots.acquire().now_or_never();
        let held: Vec<Slot> = (0..3).map(|_| acquire().unwrap()).collect();
        slots.aim_at(1);
        assert!(acquire().is_none());
        let mut held = held.into_iter();
        held.next().unwrap().settle(true);
        assert!(acquire().is_none(), "two are still busy");
        held.next().unwrap().settle(true);
        let one = acquire().unwrap();
        assert!(acquire().is_none());
        slots.aim_at(100);
        assert!(acquire().is_some() && !slots.is_worn(), "one of four was lost just now");
        drop(one);
        assert!(slots.is_worn(), "two of four are lost");
    }
}

//! One session (RFC 8881, section 2.10): made by EXCHANGE_ID and CREATE_SESSION, with a slot for each request in
//! flight. A session that broke is never mended: [`super::client`] makes another.

use super::{
    callback,
    compound::{COMPOUND, Compound, PROGRAM, Reply, VERSION, op},
    failure::Failure,
    slots::Slots,
    status::Status,
};
use crate::{
    manner::Manner,
    rpc::{Address, Credential, Program, Rpc, RpcError},
    xdr::{Decoded, Malformed, Reader, Writer},
};
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const NFS: Program = Program { number: PROGRAM, version: VERSION };
/// Operations of one COMPOUND that we ask for; a path is looked up in pieces of this length.
const OPERATIONS: u32 = 64;
/// Fewer than these and not even a name can be looked up: SEQUENCE, PUTFH, LOOKUP, GETFH, GETATTR.
pub(super) const OPERATIONS_LEAST: u32 = 5;
/// Longest request and answer that we ask for: content of 1 MiB and what stands around it.
const MESSAGE: u32 = (1 << 20) + (4 << 10);
/// What stands around the content of a READ or the entries of a READDIR: the RPC header, the results of SEQUENCE,
/// PUTFH and two GETATTRs with long owners.
const OVERHEAD: u32 = 2 << 10;
/// `EXCHGID4_FLAG_USE_NON_PNFS`: layouts are of no use to us.
const USE_NON_PNFS: u32 = 0x0001_0000;
/// `CREATE_SESSION4_FLAG_CONN_BACK_CHAN`: the server may call us on this connection.
const CONN_BACK_CHAN: u32 = 2;
/// `CDFC4_FORE`: a further connection carries our requests only.
const FORE: u32 = 1;

/// Who connects to whom, and how patiently.
#[derive(Debug)]
pub(crate) struct Party {
    pub server: Address,
    pub manner: Manner,
    pub credential: Credential,
    /// What we call ourselves: the same for as long as this client lives, and nobody else's.
    pub owner: Bytes,
    /// Another one would tell the server that we restarted.
    pub verifier: [u8; 8],
}

/// What the server said of itself in EXCHANGE_ID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerId {
    pub major: Bytes,
    pub minor: u64,
    pub scope: Bytes,
    /// Domain and name of the implementation, where told.
    pub implementation: Option<(String, String)>,
}

/// What the server granted for our requests (`channel_attrs4`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Granted {
    pub request_max: u32,
    pub response_max: u32,
    pub operations: u32,
    pub requests: u32,
}

/// A session that works, until it does not.
#[derive(Debug)]
pub(crate) struct Session {
    pub client: u64,
    pub id: [u8; 16],
    pub server: ServerId,
    pub granted: Granted,
    connections: Vec<Rpc>,
    slots: Arc<Slots>,
    broken: AtomicBool,
    since: Instant,
    /// When a request was last answered, milliseconds after `since`: each one renews the lease.
    renewed: AtomicU64,
}

impl Session {
    /// Connects and makes a session.
    pub async fn open(party: &Party) -> Result<Arc<Self>, Failure> {
        let mut options = party.manner.rpc.clone();
        options.callback = Some(Arc::new(|call| callback::answer(&call)));
        let first = Rpc::connect(&party.server, NFS, &options).await?;
        let mut tries = 0;
        let (known, created) = loop {
            let known = exchange_id(party, &first).await?;
            match create_session(party, &first, &known).await {
                // Between the two requests the server restarted, or forgot us.
                Err(Failure::Status(Status::STALE_CLIENTID)) if tries < 2 => tries += 1,
                created => break (known, created?),
            }
        };
        let (id, granted) = created;
        check(granted)?;
        let mut session = Self {
            client: known.client,
            id,
            server: known.server,
            granted,
            connections: vec![first],
            slots: Slots::new(granted.requests),
            broken: AtomicBool::new(false),
            since: Instant::now(),
            renewed: AtomicU64::new(0),
        };
        session.widen(party).await;
        let session = Arc::new(session);
        // We held nothing before: the server need not wait for us to claim it back.
        let mut done = Compound::new("RECLAIM_COMPLETE");
        done.op(op::RECLAIM_COMPLETE).bool(false);
        match session.call(party, &done).await.and_then(|mut reply| reply.done(op::RECLAIM_COMPLETE)) {
            Ok(()) | Err(Failure::Status(Status::COMPLETE_ALREADY)) => {}
            Err(failure) => return Err(failure),
        }
        Ok(session)
    }

    /// Further connections for the same session, as far as the server takes them.
    async fn widen(&mut self, party: &Party) {
        while self.connections.len() < party.manner.connections {
            let bound = async {
                // The same address: another of the same name may be another server.
                let rpc = Rpc::connect(&self.peer().into(), NFS, &party.manner.rpc).await?;
                let mut bind = Compound::new("BIND_CONN_TO_SESSION");
                bind.op(op::BIND_CONN_TO_SESSION).fixed(&self.id).u32(FORE).bool(false);
                let mut reply = bare(party, &rpc, &bind).await?;
                reply.take(op::BIND_CONN_TO_SESSION, |from| from.raw(16 + 4 + 4))?;
                Ok::<_, Failure>(rpc)
            };
            match bound.await {
                Ok(rpc) => self.connections.push(rpc),
                Err(failure) => {
                    tracing::debug!(server = %party.server, %failure, "the session has fewer connections");
                    return;
                }
            }
        }
    }

    /// Sends `compound` after a SEQUENCE and waits for the answer, whose SEQUENCE is already taken.
    ///
    /// The request is a task of its own: when whoever asked goes away, the slot is still settled.
    pub async fn call(self: &Arc<Self>, party: &Party, compound: &Compound) -> Result<Reply, Failure> {
        let patience = party.manner.rpc.call_timeout;
        let slot = tokio::time::timeout(patience, self.slots.acquire()).await.map_err(|_| {
            // Whatever holds them all for so long: the next request shall not wait for it, too.
            self.give_up();
            Failure::NoSlot(patience)
        })?;
        let mut first = Writer::default();
        first.u32(op::SEQUENCE).fixed(&self.id).u32(slot.sequence).u32(slot.id).u32(slot.highest).bool(false);
        let body = compound.request(&first, 1);
        let place = usize::try_from(slot.id).expect("at most 1024") % self.connections.len();
        let (rpc, session) = (self.connections[place].clone(), Arc::clone(self));
        let (credential, probe, word) = (party.credential.clone(), party.manner.probe.clone(), compound.word);
        let task = tokio::spawn(async move {
            let sent = Instant::now();
            let answer = rpc.call(PROGRAM, VERSION, COMPOUND, &credential, body).await;
            let taken = answer.map_err(Failure::from).and_then(|raw| {
                let mut reply = Reply::new(raw)?;
                let target = reply.take(op::SEQUENCE, |from| sequence(from, &session.id, slot.id, slot.sequence))?;
                Ok((reply, target))
            });
            match &taken {
                Ok((reply, target)) => {
                    probe.observed(word, sent.elapsed(), reply.succeeded());
                    session.slots.aim_at(*target);
                    slot.settle(true);
                    session.touch();
                }
                Err(failure) => {
                    probe.observed(word, sent.elapsed(), false);
                    if failure.wants_new_session() {
                        session.give_up();
                    }
                    if matches!(failure, Failure::Status(_)) {
                        slot.settle(false);
                    }
                }
            }
            taken.map(|(reply, _)| reply)
        });
        task.await.unwrap_or_else(|_| Err(closed("the request was given up")))
    }

    /// Is it of no more use?
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed) || self.connections.iter().any(Rpc::is_closed) || self.slots.is_worn()
    }

    /// Nobody shall use it any more.
    pub fn give_up(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// How long nothing was answered.
    pub fn idle(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.renewed.load(Ordering::Relaxed)))
    }

    fn touch(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.renewed.store(now, Ordering::Relaxed);
    }

    /// Bytes of a READ or READDIR that fit an answer.
    pub fn payload(&self) -> u32 {
        self.granted.response_max - OVERHEAD
    }

    /// The address that took the connection.
    pub fn peer(&self) -> std::net::SocketAddr {
        self.connections[0].peer()
    }

    /// Tells the server that session and client are no more, as well as it goes: it would find out by itself when
    /// the lease ends.
    pub async fn close(&self, party: &Party) {
        let rpc = &self.connections[0];
        if rpc.is_closed() {
            return;
        }
        destroy_session(party, rpc, &self.id).await;
        let mut destroy = Compound::new("DESTROY_CLIENTID");
        destroy.op(op::DESTROY_CLIENTID).u64(self.client);
        let told = bare(party, rpc, &destroy).await.and_then(|mut reply| reply.done(op::DESTROY_CLIENTID));
        if let Err(failure) = told {
            tracing::debug!(%failure, "the client id stays until its lease ends");
        }
    }

    /// Ends another session of this client, of which only the number is left.
    pub async fn destroy(&self, party: &Party, other: &[u8; 16]) {
        destroy_session(party, &self.connections[0], other).await;
    }
}

async fn destroy_session(party: &Party, rpc: &Rpc, id: &[u8; 16]) {
    let mut destroy = Compound::new("DESTROY_SESSION");
    destroy.op(op::DESTROY_SESSION).fixed(id);
    if let Err(failure) = bare(party, rpc, &destroy).await.and_then(|mut reply| reply.done(op::DESTROY_SESSION)) {
        tracing::debug!(%failure, "the session stays until its lease ends");
    }
}

/// A request outside of any session.
async fn bare(party: &Party, rpc: &Rpc, compound: &Compound) -> Result<Reply, Failure> {
    let sent = Instant::now();
    let body = compound.request(&Writer::default(), 0);
    let answer = rpc.call(PROGRAM, VERSION, COMPOUND, &party.credential, body).await;
    let reply = answer.map_err(Failure::from).and_then(|raw| Ok(Reply::new(raw)?));
    party.manner.probe.observed(compound.word, sent.elapsed(), reply.as_ref().is_ok_and(Reply::succeeded));
    reply
}

fn closed(why: &'static str) -> Failure {
    Failure::Rpc(RpcError::Closed(Arc::new(std::io::Error::other(why))))
}

/// What EXCHANGE_ID tells.
#[derive(Debug)]
pub(super) struct Known {
    client: u64,
    /// The number that the next CREATE_SESSION carries.
    sequence: u32,
    server: ServerId,
}

/// RFC 8881, section 18.35.
async fn exchange_id(party: &Party, rpc: &Rpc) -> Result<Known, Failure> {
    let mut ask = Compound::new("EXCHANGE_ID");
    let to = ask.op(op::EXCHANGE_ID).fixed(&party.verifier).opaque(&party.owner).u32(USE_NON_PNFS);
    // No state protection (SP4_NONE), and nothing of our implementation.
    to.u32(0).u32(0);
    known(&mut bare(party, rpc, &ask).await?)
}

pub(super) fn known(reply: &mut Reply) -> Result<Known, Failure> {
    reply.take(op::EXCHANGE_ID, |from| {
        let (client, sequence) = (from.u64()?, from.u32()?);
        from.u32()?;
        if from.u32()? != 0 {
            return Err(Malformed("the server protects state in a way that was not asked for"));
        }
        let (minor, major) = (from.u64()?, Bytes::copy_from_slice(from.opaque(1024)?));
        let scope = Bytes::copy_from_slice(from.opaque(1024)?);
        let mut implementation = None;
        for _ in 0..from.count(20)? {
            let mut text = || from.opaque(1024).map(|raw| String::from_utf8_lossy(raw).into_owned());
            implementation = Some((text()?, text()?));
            super::attributes::time(from)?;
        }
        Ok(Known { client, sequence, server: ServerId { major, minor, scope, implementation } })
    })
}

/// RFC 8881, section 18.36.
async fn create_session(party: &Party, rpc: &Rpc, known: &Known) -> Result<([u8; 16], Granted), Failure> {
    let mut ask = Compound::new("CREATE_SESSION");
    let to = ask.op(op::CREATE_SESSION).u64(known.client).u32(known.sequence).u32(CONN_BACK_CHAN);
    // Header padding, request, response, cached response, operations, requests, no RDMA. Nothing that we send
    // has to be cached: it can all be repeated.
    let slots = u32::try_from(party.manner.in_flight).unwrap_or(u32::MAX);
    to.u32(0).u32(MESSAGE).u32(MESSAGE).u32(4 << 10).u32(OPERATIONS).u32(slots).u32(0);
    to.u32(0).u32(4 << 10).u32(4 << 10).u32(0).u32(8).u32(4).u32(0);
    // The server calls with AUTH_NONE.
    to.u32(callback::PROGRAM).u32(1).u32(0);
    created(&mut bare(party, rpc, &ask).await?)
}

pub(super) fn created(reply: &mut Reply) -> Result<([u8; 16], Granted), Failure> {
    reply.take(op::CREATE_SESSION, |from| {
        let id = from.array()?;
        from.raw(8)?;
        let granted = channel(from)?;
        channel(from)?;
        Ok((id, granted))
    })
}

fn channel(from: &mut Reader<'_>) -> Decoded<Granted> {
    from.u32()?;
    let (request_max, response_max) = (from.u32()?, from.u32()?);
    from.u32()?;
    let (operations, requests) = (from.u32()?, from.u32()?);
    for _ in 0..from.count(4)? {
        from.u32()?;
    }
    Ok(Granted { request_max, response_max, operations, requests })
}

fn check(granted: Granted) -> Result<(), Failure> {
    match granted {
        Granted { operations, .. } if operations < OPERATIONS_LEAST => {
            Err(Failure::Narrow("fewer than 5 operations in a request"))
        }
        Granted { response_max, .. } if response_max < OVERHEAD + (4 << 10) => {
            Err(Failure::Narrow("answers of less than 6 KiB"))
        }
        Granted { request_max, .. } if request_max < OVERHEAD => Err(Failure::Narrow("requests of less than 2 KiB")),
        Granted { requests: 0, .. } => Err(Failure::Narrow("no slot")),
        Granted { .. } => Ok(()),
    }
}

/// The results of SEQUENCE (RFC 8881, section 18.46): the highest slot that the server wants to be used.
pub(super) fn sequence(from: &mut Reader<'_>, session: &[u8; 16], slot: u32, number: u32) -> Decoded<u32> {
    if from.array::<16>()? != *session || from.u32()? != number || from.u32()? != slot {
        return Err(Malformed("it belongs to another slot"));
    }
    from.u32()?;
    let target = from.u32()?;
    // Flags about state that the server took from us, or a path back to us that it lost: we keep none.
    from.u32()?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_its_own_session_slot_and_number_only() {
        let told = |session: [u8; 16], number: u32, slot: u32| {
            let mut answer = Writer::default();
            answer.fixed(&session).u32(number).u32(slot).u32(7).u32(5).u32(0);
            sequence(&mut Reader(&answer.into_bytes()), &[1; 16], 3, 9)
        };
        assert_eq!(told([1; 16], 9, 3).unwrap(), 5);
        for (session, number, slot) in [([2; 16], 9, 3), ([1; 16], 8, 3), ([1; 16], 9, 4)] {
            assert!(told(session, number, slot).is_err(), "{session:?} {number} {slot}");
        }
    }
}

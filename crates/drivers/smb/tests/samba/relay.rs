//! Samba behind a relay that changes requests on their way: what a server may do, and this one never does by itself.

use crate::common::options;
use crate::rig::{Rig, noise, run, whole};
use longshore_driver_smb::SmbStore;
use model::Location;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Where a frame of one READ holds its command and its length, the four bytes of the frame included ([MS-SMB2] 2.2.19).
const COMMAND: usize = 4 + 12;
const LENGTH: std::ops::Range<usize> = 4 + 64 + 4..4 + 64 + 8;
const READ: [u8; 2] = [8, 0];

/// A server that brings at most so many bytes a READ, whatever it is asked for; and how often it brought less.
async fn stingy(rig: &Rig, most: u32) -> (Location, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = rig.location();
    let at = format!("smb://{}@{}/data", there.user().unwrap(), listener.local_addr().unwrap());
    let server = (there.host().to_owned(), there.port().unwrap_or(445));
    let cut = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&cut);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut from, mut to) = client.into_split();
            let (mut answers, mut requests) = TcpStream::connect(&server).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to).await });
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                while let Ok(len) = from.read_u32().await {
                    let mut frame = len.to_be_bytes().to_vec();
                    frame.resize(4 + usize::try_from(len).unwrap(), 0);
                    from.read_exact(&mut frame[4..]).await.unwrap();
                    if frame[COMMAND..].starts_with(&READ) {
                        let asked = u32::from_le_bytes(frame[LENGTH].try_into().unwrap());
                        counted.fetch_add(usize::from(asked > most), Ordering::Relaxed);
                        frame[LENGTH].copy_from_slice(&asked.min(most).to_le_bytes());
                    }
                    requests.write_all(&frame).await.unwrap();
                }
            });
        }
    });
    (at.parse().unwrap(), cut)
}

pub fn short_reads(rig: &Rig) {
    let fresh = rig.fresh("short");
    let files = [("small", noise(5, 90_001)), ("large", noise(6, (3 << 20) + 7))];
    for (name, content) in &files {
        fs::write(fresh.on_disk.join(name), content).unwrap();
    }
    run(async {
        let (at, cut) = stingy(rig, 40_000).await;
        let store = SmbStore::connect(&at, options()).await.unwrap();
        for (name, content) in &files {
            let before = cut.load(Ordering::Relaxed);
            assert!(whole(&store, &fresh.path.join(name.as_bytes())).await == *content, "{name}");
            assert!(cut.load(Ordering::Relaxed) > before, "{name}: no READ was cut short");
        }
    });
}

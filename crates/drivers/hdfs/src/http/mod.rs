//! What NameNodes tell over HTTP: counters by `/jmx`, and WebHDFS for what RPC through our crate does not tell.

mod client;
mod endpoint;
mod image;
mod jmx;
mod webhdfs;
mod zones;

pub use endpoint::HttpEndpoint;
pub use image::fetch_fsimage;

use crate::{
    ClusterFacts, DirectoryPolicies, HdfsOptions, HeldBySnapshots, NameNodeFacts, SnapshottableDir,
    address::Address,
    failure::{CLOCKS_HINT, Failure, gss_hint},
};
use client::{Answer, HttpClient};
use futures::future::join_all;
use jmx::Bean;
use kerberos::Reason;
use model::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use storage::{Result as StorageResult, Usage};
use tokio::sync::Mutex;

/// How long a count of open files holds. What was opened since is known by its time.
const COUNTED: Duration = Duration::from_secs(15);
/// How long after silence it is asked again.
const SILENT: Duration = Duration::from_mins(1);
/// Clocks in HTTP have whole seconds, and the count is taken a moment before.
const SLACK: i64 = 3;

const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The NameNodes over HTTP.
pub(crate) struct Web {
    clients: Vec<HttpClient>,
    /// `user.name=…&` where there is no Kerberos.
    user: String,
    /// Who answered last.
    active: AtomicUsize,
    open_files: Mutex<Option<OpenFiles>>,
}

/// How many files were being written.
#[derive(Clone, Copy)]
struct OpenFiles {
    asked: Instant,
    /// The count, and the server's time when it was taken; none when it does not tell.
    told: Option<(u64, Option<i64>)>,
}

impl Web {
    pub fn new(address: &Address, options: &HdfsOptions) -> StorageResult<Self> {
        let credentials = address.secure.then(|| address.credentials.clone().unwrap_or_default());
        let endpoints = address.name_nodes.iter().map(|node| node.http.clone());
        Self::of(endpoints, credentials.as_ref(), address.user.as_deref(), options)
    }

    fn of(
        endpoints: impl Iterator<Item = HttpEndpoint>,
        credentials: Option<&kerberos::Credentials>,
        user: Option<&str>,
        options: &HdfsOptions,
    ) -> StorageResult<Self> {
        let clients = endpoints
            .map(|endpoint| HttpClient::new(endpoint, credentials.cloned(), options))
            .collect::<Result<_, _>>();
        let clients = clients.map_err(|failure| failure.error("open the location"))?;
        let user = match user {
            Some(user) if credentials.is_none() => format!("user.name={}&", utf8_percent_encode(user, PATH)),
            _ => String::new(),
        };
        Ok(Self { clients, user, active: AtomicUsize::new(0), open_files: Mutex::new(None) })
    }

    /// WebHDFS on the active NameNode.
    async fn webhdfs(&self, absolute: &str, query: &str) -> Result<Answer, Failure> {
        let target = format!("/webhdfs/v1{}?{}{query}", utf8_percent_encode(absolute, PATH), self.user);
        let first = self.active.load(Ordering::Relaxed);
        let mut failed = None;
        for number in 0..self.clients.len() {
            let number = (first + number) % self.clients.len();
            match self.clients[number].get("WebHDFS", &target).await {
                Err(failure) if failure.is_elsewhere() => failed = failed.or(Some(failure)),
                answer => {
                    self.active.store(number, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(failed.unwrap_or_else(|| Failure::Http("no NameNode serves HTTP".into())))
    }

    /// Does somebody write the file, whose content was last changed at `mtime`? None where HTTP is silent.
    pub async fn is_open_for_write(&self, absolute: &str, mtime: Option<Timestamp>) -> Result<Option<bool>, Failure> {
        let Some((count, at)) = self.open_files().await else { return Ok(None) };
        // What was opened after the count has a later time: opening a new file sets it.
        let before = mtime.zip(at).is_some_and(|(mtime, at)| mtime.secs < at - SLACK);
        if count == 0 && before {
            return Ok(Some(false));
        }
        match self.webhdfs(absolute, "op=GET_BLOCK_LOCATIONS&offset=0&length=1").await {
            Ok(answer) => webhdfs::under_construction(&answer.body)
                .map(Some)
                .ok_or_else(|| Failure::Http("what WebHDFS says of the file's blocks makes no sense".into())),
            Err(failure) if failure.is_elsewhere() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn open_files(&self) -> Option<(u64, Option<i64>)> {
        // Whoever comes meanwhile waits for the one answer.
        let mut known = self.open_files.lock().await;
        let holds = |known: &OpenFiles| known.asked.elapsed() < if known.told.is_some() { COUNTED } else { SILENT };
        if let Some(known) = known.filter(holds) {
            return known.told;
        }
        let asked = Instant::now();
        let mut told = None;
        let first = self.active.load(Ordering::Relaxed);
        for number in 0..self.clients.len() {
            let number = (first + number) % self.clients.len();
            let Ok((bean, date)) = bean(&self.clients[number], jmx::NAMESYSTEM).await else { continue };
            // A standby counts, too, but some seconds late.
            if bean.text("tag.HAState").as_deref() == Some("standby") {
                continue;
            }
            told = bean.number("NumFilesUnderConstruction").map(|count| (count, date));
            self.active.store(number, Ordering::Relaxed);
            break;
        }
        *known = Some(OpenFiles { asked, told });
        told
    }

    /// Counters of all NameNodes.
    pub async fn cluster_facts(&self) -> ClusterFacts {
        let mut facts = ClusterFacts::default();
        let all = join_all(self.clients.iter().map(|client| async move {
            let system = bean(client, jmx::NAMESYSTEM).await;
            let (status, info) = match &system {
                Ok(_) => tokio::join!(bean(client, jmx::STATUS), bean(client, jmx::INFO)),
                Err(_) => (Err(Failure::Http(String::new())), Err(Failure::Http(String::new()))),
            };
            (client, system, status.ok(), info.ok())
        }));
        let mut silent = None;
        let mut filled = false;
        for (client, system, status, info) in all.await {
            let mut node = NameNodeFacts { http: client.endpoint().to_string(), ..NameNodeFacts::default() };
            let info = info.map(|(bean, _)| bean);
            match system {
                Err(failure) => {
                    let why = format!("{}: {failure}", client.endpoint());
                    node.silent = Some(why.clone());
                    silent.get_or_insert(why);
                }
                Ok((system, _)) => {
                    jmx::fill_node(&mut node, &system, status.as_ref().map(|(bean, _)| bean), info.as_ref());
                    // The standby's counters are used only where the active one is silent.
                    if !filled || node.state.as_deref() == Some("active") {
                        jmx::fill_cluster(&mut facts, &system, info.as_ref());
                        filled = true;
                    }
                }
            }
            facts.name_nodes.push(node);
        }
        facts.http_silent = silent.filter(|_| !filled);
        facts
    }

    /// The volume, raw bytes.
    pub async fn usage(&self) -> Result<Usage, Failure> {
        let answer = self.webhdfs("/", "op=GETSTATUS").await?;
        webhdfs::usage(&answer.body).ok_or_else(|| senseless("the volume"))
    }

    /// What only snapshots hold below a directory; `None` where the server does not tell.
    pub async fn held_by_snapshots(&self, absolute: &str) -> Result<Option<HeldBySnapshots>, Failure> {
        let answer = self.webhdfs(absolute, "op=GETCONTENTSUMMARY").await?;
        Ok(webhdfs::held_by_snapshots(&answer.body))
    }

    pub async fn snapshottable_dirs(&self) -> Result<Vec<SnapshottableDir>, Failure> {
        let answer = self.webhdfs("/", "op=GETSNAPSHOTTABLEDIRECTORYLIST").await?;
        webhdfs::snapshottable(&answer.body).ok_or_else(|| senseless("snapshots"))
    }

    pub async fn xattrs(&self, absolute: &str) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let answer = self.webhdfs(absolute, "op=GETXATTRS&encoding=BASE64").await?;
        webhdfs::xattrs(&answer.body).ok_or_else(|| senseless("extended attributes"))
    }

    /// Why NameNodes do not take our ticket, or the KDC gives none for their pages: over RPC they keep to themselves
    /// what their GSSAPI says. And what to do.
    pub async fn why_refused(&self) -> Option<(String, &'static str)> {
        for client in &self.clients {
            match client.get("JMX", "/jmx?qry=none").await {
                Err(Failure::Status(403, words)) => {
                    let Some((_, why)) = words.split_once("GSSException: ") else { continue };
                    return Some((format!("the NameNode does not take the ticket: {why}"), gss_hint(why)));
                }
                Err(Failure::Kerberos(error)) if error.reason() == Reason::ClockSkew => {
                    return Some((error.to_string(), CLOCKS_HINT));
                }
                _ => {}
            }
        }
        None
    }

    /// What a file gets that is made without a word about it.
    pub async fn defaults(&self) -> Result<(u64, u64), Failure> {
        let answer = self.webhdfs("/", "op=GETSERVERDEFAULTS").await?;
        webhdfs::defaults(&answer.body).ok_or_else(|| senseless("defaults"))
    }

    pub async fn policies(&self, absolute: &str) -> Result<DirectoryPolicies, Failure> {
        let (storage, coding, status) = tokio::try_join!(
            self.webhdfs(absolute, "op=GETSTORAGEPOLICY"),
            self.webhdfs(absolute, "op=GETECPOLICY"),
            self.webhdfs(absolute, "op=GETFILESTATUS"),
        )?;
        webhdfs::policies(&storage.body, &coding.body, &status.body).ok_or_else(|| senseless("policies"))
    }
}

fn senseless(what: &str) -> Failure {
    Failure::Http(format!("what WebHDFS says of {what} makes no sense"))
}

/// A bean, and the server's time in seconds since 1970.
async fn bean(client: &HttpClient, name: &'static str) -> Result<(Bean, Option<i64>), Failure> {
    let answer = client.get("JMX", &format!("/jmx?qry={name}")).await?;
    let date = client::date_of(&answer.headers);
    let bean = Bean::parse(&answer.body, name).ok_or_else(|| Failure::Http(format!("it has no bean {name}")))?;
    Ok((bean, date))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Answers of a real NameNode, shortened.
    const ANSWERS: [&str; 8] = [
        r#"{"beans":[{"name":"Hadoop:service=NameNode,name=FSNamesystem","tag.EnabledEcPolicies":"RS-6-3-1024k","tag.HAState":"active","CapacityTotal":541104250880,"CapacityUsed":50542,"TransactionsSinceLastCheckpoint":8,"LastCheckpointTime":1795364951580,"CapacityUsedGB":0.0,"NumFilesUnderConstruction":3}]}"#,
        r#"{"SnapshottableDirectoryList":[{"dirStatus":{"pathSuffix":"bar"},"parentFullPath":"/","snapshotNumber":2,"snapshotQuota":65536}]}"#,
        r#"{"XAttrs":[{"name":"user.a","value":"0sAAEC"},{"name":"user.b","value":null}]}"#,
        r#"{"LocatedBlocks":{"fileLength":1371,"isLastBlockComplete":true,"isUnderConstruction":false,"locatedBlocks":[]}}"#,
        r#"{"FsStatus":{"used":50542,"remaining":77382893568,"capacity":541104250880}}"#,
        r#"{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":[{"pathSuffix":"a","type":"DIRECTORY"},{"encBit":true,"pathSuffix":"c","type":"DIRECTORY"}]}},"remainingEntries":2}}"#,
        r#"{"FsServerDefaults":{"blockSize":134217728,"replication":2,"keyProviderUri":""}}"#,
        r#"{"RemoteException":{"exception":"FileNotFoundException","javaClassName":"java.io.FileNotFoundException","message":"File does not exist: /a/nope"}}"#,
    ];

    fn all(body: &[u8]) {
        if let Some(bean) = Bean::parse(body, jmx::NAMESYSTEM) {
            let mut facts = ClusterFacts::default();
            jmx::fill_cluster(&mut facts, &bean, Some(&bean));
            jmx::fill_node(&mut NameNodeFacts::default(), &bean, Some(&bean), Some(&bean));
        }
        let _told = (webhdfs::exception(body), webhdfs::under_construction(body), webhdfs::usage(body));
        let _told = (webhdfs::snapshottable(body), webhdfs::xattrs(body), webhdfs::policies(body, body, body));
        let _told = (zones::page(body), webhdfs::defaults(body));
    }

    proptest! {
        #[test]
        fn no_answer_makes_a_decoder_panic(which in 0..ANSWERS.len(), cut in 0_usize..400, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5)) {
            let mut body = ANSWERS[which].as_bytes().to_vec();
            for (place, byte) in changes {
                let at = place.index(body.len());
                body[at] = byte;
            }
            body.truncate(cut);
            all(&body);
        }
    }

    #[test]
    fn mutated_answers_do_no_harm() {
        crate::mutations::try_all("HTTP", &ANSWERS, all);
    }

    #[test]
    fn paths_are_written_so_that_no_byte_means_anything() {
        let path = utf8_percent_encode("/a b/ü?%#&;+", PATH).to_string();
        assert_eq!(path, "/a%20b/%C3%BC%3F%25%23%26%3B%2B");
    }
}

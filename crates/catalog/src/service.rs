//! What a service can and cannot do, each figure with its source.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a figure about a service can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Read in the source.
    Documented,
    /// Read in a source of 2023 or before; it may have moved.
    DocumentedOld,
    /// Computed from documented figures.
    Derived,
    /// No document was found.
    Recall,
    /// A choice of this project.
    Ours,
}

/// A figure with where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure<T> {
    /// The figure.
    pub value: T,
    /// Tags of `sources.toml`, separated by blanks.
    pub source: String,
    /// How far it can be trusted.
    pub confidence: Confidence,
}

/// How applications reach the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interface {
    /// By key, over HTTP.
    Object,
    /// By path, mounted.
    File,
}

/// How many failures the only copy survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Copies {
    /// Not replicated: a failed disk loses data.
    None,
    /// Replicated within one availability zone; lost with the zone.
    Zone,
    /// In two or more availability zones.
    Zones,
}

/// A service: one file of `services/`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// `s3`, `efs`, `fsx-windows`, `fsx-lustre`, `fsx-openzfs`, `fsx-ontap`.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// How applications reach the data.
    pub interface: Interface,
    /// Protocols that it speaks: `s3`, `nfs3`, `nfs4`, `smb`, `lustre`, `iscsi`.
    pub protocols: Vec<String>,
    /// Who can use it, in words.
    pub clients: String,
    /// Hard limits.
    pub limits: Limits,
    /// What it accepts as a name.
    pub names: Names,
    /// Which metadata it keeps.
    pub metadata: Kept,
    /// Figures that sizing uses.
    #[serde(default)]
    pub assumptions: Assumptions,
    /// Its classes and deployment types.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// Hard limits; what is absent has no limit that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Largest file or object, bytes.
    pub max_file_bytes: Option<Figure<u64>>,
    /// Largest file unless a setting raises it, bytes.
    pub max_default_file_bytes: Option<Figure<u64>>,
    /// Largest object in one PUT, bytes.
    pub max_single_put_bytes: Option<Figure<u64>>,
    /// Most parts of a multipart upload.
    pub max_parts: Option<Figure<u64>>,
    /// Smallest part but the last, bytes.
    pub min_part_bytes: Option<Figure<u64>>,
    /// Largest part, bytes.
    pub max_part_bytes: Option<Figure<u64>>,
    /// Longest path or key, bytes.
    pub max_path_bytes: Option<Figure<u64>>,
    /// Longest path, UTF-16 units.
    pub max_path_utf16: Option<Figure<u64>>,
    /// Longest component, bytes.
    pub max_name_bytes: Option<Figure<u64>>,
    /// Longest component, UTF-16 units.
    pub max_name_utf16: Option<Figure<u64>>,
    /// Longest target of a symbolic link, bytes.
    pub max_link_target_bytes: Option<Figure<u64>>,
    /// Most names of one inode.
    pub max_hard_links: Option<Figure<u64>>,
    /// Deepest directory.
    pub max_depth: Option<Figure<u64>>,
    /// Inodes of a volume unless a setting raises it.
    pub default_inodes: Option<Figure<u64>>,
    /// Most bytes of user metadata of an object.
    pub max_user_metadata_bytes: Option<Figure<u64>>,
    /// Most writing requests a second, for each prefix.
    pub max_write_requests_per_second: Option<Figure<u64>>,
    /// Most reading requests a second, for each prefix.
    pub max_read_requests_per_second: Option<Figure<u64>>,
    /// Most throughput of one file system, MiB/s.
    pub max_throughput_mibps: Option<Figure<u64>>,
    /// Most operations a second of one file system.
    pub max_iops: Option<Figure<u64>>,
    /// Most throughput that can be provisioned, MiB/s.
    pub max_provisioned_mibps: Option<Figure<u64>>,
}

/// What a service accepts as a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Names {
    /// Names must be UTF-8.
    pub utf8_only: bool,
    /// `a` and `A` are two names.
    pub case_sensitive: bool,
    /// It refuses what Windows refuses: `< > : " | ? *`, trailing dots and blanks, `CON`, ….
    pub windows_reserved: bool,
    /// Tags of `sources.toml`.
    pub source: String,
    /// How far this can be trusted.
    pub confidence: Confidence,
}

/// Which metadata a service keeps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kept {
    /// Names of `model::Facets`.
    pub facets: Vec<String>,
    /// It holds symbolic links as such.
    pub symlinks: bool,
    /// It holds device nodes.
    pub devices: bool,
    /// What else should be known.
    pub note: String,
    /// Tags of `sources.toml`.
    pub source: String,
    /// How far this can be trusted.
    pub confidence: Confidence,
}

impl Kept {
    /// Does the service keep this facet (a name of `model::Facets`)?
    pub fn has(&self, facet: &str) -> bool {
        self.facets.iter().any(|kept| kept == facet)
    }
}

/// Figures that sizing uses.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Assumptions {
    /// Share of a provisioned volume that may be full.
    pub fill: Option<Figure<f64>>,
    /// IOPS that come with each GiB of SSD.
    pub included_iops_per_gib: Option<Figure<u64>>,
    /// GiB of storage that bring 1 MiB/s of throughput with them.
    pub included_gib_per_mibps: Option<Figure<u64>>,
    /// Days after which unread blocks leave the SSD.
    pub cooling_days: Option<Figure<u64>>,
    /// Share of the capacity pool that stays on SSD as metadata.
    pub pool_metadata_share: Option<Figure<f64>>,
    /// Size of the objects that blocks are written to the pool in, KiB.
    pub pool_object_kib: Option<Figure<u64>>,
}

/// A class or deployment type of a service.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Variant {
    /// Unique within the service: `standard`, `multi-az-ssd`.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// Its configuration in the API's own words.
    pub configuration: BTreeMap<String, String>,
    /// How many failures its only copy survives.
    pub copies: Copies,
    /// Durability and availability as designed, in words.
    pub availability: Figure<String>,
    /// Typical latency of a small operation, milliseconds; absent where data must be restored first.
    #[serde(default)]
    pub latency_ms: Option<Figure<f64>>,
    /// Hours until data can be read (standard restore); absent where it can be read at once.
    #[serde(default)]
    pub restore_hours: Option<Figure<u64>>,
    /// Days that an object is billed at least.
    #[serde(default)]
    pub min_days: Option<Figure<u64>>,
    /// Bytes that an object is billed at least.
    #[serde(default)]
    pub min_billable_bytes: Option<Figure<u64>>,
    /// Objects below this are not tiered.
    #[serde(default)]
    pub tiering_min_bytes: Option<Figure<u64>>,
    /// Bytes billed with each object at the price of the class.
    #[serde(default)]
    pub overhead_bytes: Option<Figure<u64>>,
    /// Bytes billed with each object at the price of S3 Standard.
    #[serde(default)]
    pub overhead_standard_bytes: Option<Figure<u64>>,
    /// Storage is paid as used, not provisioned.
    #[serde(default)]
    pub elastic: bool,
    /// Capacity that can be provisioned.
    #[serde(default)]
    pub capacity: Option<CapacitySteps>,
    /// Throughput that can be provisioned.
    #[serde(default)]
    pub throughput: Option<ThroughputSteps>,
    /// Throughput that each TiB brings, MB/s.
    #[serde(default)]
    pub mbps_per_tib: Option<Figure<f64>>,
    /// Operations per second that each TiB brings.
    #[serde(default)]
    pub iops_per_tib: Option<Figure<f64>>,
    /// Most operations per second that can be provisioned for each GiB.
    #[serde(default)]
    pub max_iops_per_gib: Option<Figure<u64>>,
    /// Most pairs of servers.
    #[serde(default)]
    pub max_pairs: Option<Figure<u64>>,
    /// Storage priced by volume, smallest first; the last band is open.
    #[serde(default)]
    pub bands: Vec<Band>,
    /// Dimension of the price for each thing that is paid for: `storage`, `put`, `get`, `throughput`, ….
    pub prices: BTreeMap<String, String>,
}

/// A price that holds up to a volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Band {
    /// Upper bound of the band, GiB in total; absent for the last.
    #[serde(default)]
    pub up_to_gib: Option<u64>,
    /// Dimension of its price.
    pub price: String,
}

/// Capacity that can be provisioned: `first-gib`, or else from `min-gib` in steps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CapacitySteps {
    /// Smallest, GiB.
    pub min_gib: u64,
    /// Largest, GiB; absent where there is no bound that matters.
    #[serde(default)]
    pub max_gib: Option<u64>,
    /// The first sizes where they do not follow the step, GiB, ascending.
    #[serde(default)]
    pub first_gib: Vec<u64>,
    /// Distance of further sizes, GiB.
    pub step_gib: u64,
    /// Tags of `sources.toml`.
    pub source: String,
    /// How far this can be trusted.
    pub confidence: Confidence,
}

impl CapacitySteps {
    /// The smallest capacity that holds `gib`; `None` where there is none.
    pub fn at_least(&self, gib: u64) -> Option<u64> {
        let wanted = gib.max(self.min_gib);
        let listed = self.first_gib.iter().copied().find(|size| *size >= wanted);
        // The steps go on from the last listed size, or from the smallest one.
        let base = self.first_gib.last().copied().unwrap_or(self.min_gib);
        let stepped = || base + (wanted.saturating_sub(base)).div_ceil(self.step_gib) * self.step_gib;
        let size = listed.unwrap_or_else(stepped);
        self.max_gib.is_none_or(|max| size <= max).then_some(size)
    }
}

/// Throughput that can be provisioned: a list of steps, or multiples of one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ThroughputSteps {
    /// The steps, ascending.
    #[serde(default)]
    pub steps: Vec<ThroughputStep>,
    /// Multiples of this, MB/s, where there are no listed steps.
    #[serde(default)]
    pub step_mbps: Option<u64>,
    /// The largest multiple, MB/s.
    #[serde(default)]
    pub max_mbps: Option<u64>,
    /// Tags of `sources.toml`.
    pub source: String,
    /// How far this can be trusted.
    pub confidence: Confidence,
}

/// One size of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThroughputStep {
    /// Throughput, MB/s.
    pub mbps: u64,
    /// Disk operations per second that the server carries.
    pub iops: u64,
}

impl ThroughputSteps {
    /// The smallest step that carries both; `None` where there is none.
    pub fn at_least(&self, mbps: f64, iops: f64) -> Option<u64> {
        if let Some(step) = self.step_mbps {
            // Steps are small integers; the loop ends at `max_mbps`.
            let max = self.max_mbps.unwrap_or(step);
            return (1..=max / step.max(1)).map(|n| n * step).find(|have| as_f64(*have) >= mbps);
        }
        self.steps.iter().find(|s| as_f64(s.mbps) >= mbps && as_f64(s.iops) >= iops).map(|s| s.mbps)
    }
    /// The largest step: throughput in MB/s.
    pub fn largest(&self) -> u64 {
        self.steps.last().map(|s| s.mbps).or(self.max_mbps).unwrap_or(0)
    }
}

/// Exact below 2^53, which every figure of a catalog is.
#[allow(clippy::cast_precision_loss)]
fn as_f64(n: u64) -> f64 {
    n as f64
}

impl Service {
    /// The variant with this id.
    pub fn variant(&self, id: &str) -> Option<&Variant> {
        self.variants.iter().find(|v| v.id == id)
    }
}

impl Variant {
    /// The dimensions of all prices that it needs, without repetition.
    pub fn dimensions(&self) -> std::collections::BTreeSet<&str> {
        self.prices.values().map(String::as_str).chain(self.bands.iter().map(|b| b.price.as_str())).collect()
    }
    /// The dimension that pays for `role`.
    pub fn price(&self, role: &str) -> Option<&str> {
        self.prices.get(role).map(String::as_str)
    }
}

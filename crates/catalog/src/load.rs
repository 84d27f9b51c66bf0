//! Reading the data files and holding them to each other.

use crate::price::PriceFile;
use crate::{Error, Price, Service, Variant};
use model::Facets;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, io, path::Path};

/// Schema name of a file of prices.
const PRICES_SCHEMA: &str = "longshore.prices/v1";

/// The data files that are embedded: name below `data/`, text.
const EMBEDDED: [(&str, &str); 8] = [
    ("sources.toml", include_str!("../data/sources.toml")),
    ("prices/aws.json", include_str!("../data/prices/aws.json")),
    ("services/s3.toml", include_str!("../data/services/s3.toml")),
    ("services/efs.toml", include_str!("../data/services/efs.toml")),
    ("services/fsx-windows.toml", include_str!("../data/services/fsx-windows.toml")),
    ("services/fsx-lustre.toml", include_str!("../data/services/fsx-lustre.toml")),
    ("services/fsx-openzfs.toml", include_str!("../data/services/fsx-openzfs.toml")),
    ("services/fsx-ontap.toml", include_str!("../data/services/fsx-ontap.toml")),
];

/// Dimension, then region.
type Prices = BTreeMap<String, BTreeMap<String, Price>>;

/// All services and prices that are known.
#[derive(Clone, Debug)]
pub struct Catalog {
    services: Vec<Service>,
    prices: BTreeMap<String, Prices>,
    sources: BTreeMap<String, SourceNote>,
    regions: Vec<String>,
    as_of: String,
}

/// What a source tag stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceNote {
    /// Title of the document.
    pub title: String,
    /// Where it is; empty where there is none.
    #[serde(rename = "where")]
    pub place: String,
    /// When it was read, `YYYY-MM`.
    pub read: String,
}

impl Catalog {
    /// The catalog that the program carries.
    pub fn embedded() -> Result<Self, Error> {
        Self::from_files(EMBEDDED.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())))
    }

    /// The embedded catalog, with every file that also lies in `dir` taken from there.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let mut files = Vec::with_capacity(EMBEDDED.len());
        for (name, embedded) in EMBEDDED {
            let path = dir.join(name);
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound && dir.is_dir() => embedded.to_owned(),
                Err(source) => return Err(Error::Read { path, source }),
            };
            files.push((name.to_owned(), text));
        }
        Self::from_files(files.into_iter())
    }

    fn from_files(files: impl Iterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut catalog = Self {
            services: Vec::new(),
            prices: BTreeMap::new(),
            sources: BTreeMap::new(),
            regions: Vec::new(),
            as_of: String::new(),
        };
        for (file, text) in files {
            let wrong = |problem: String| Error::Form { file: file.clone(), problem };
            if file == "sources.toml" {
                catalog.sources = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
            } else if file.starts_with("prices/") {
                let prices: PriceFile = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
                catalog.take_prices(&file, prices)?;
            } else {
                let service: Service = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
                catalog.services.push(service);
            }
        }
        catalog.check()?;
        Ok(catalog)
    }

    fn take_prices(&mut self, file: &str, read: PriceFile) -> Result<(), Error> {
        let invalid = |problem: String| Error::Invalid { file: file.to_owned(), problem };
        if read.schema != PRICES_SCHEMA {
            return Err(invalid(format!("schema is `{}`, expected `{PRICES_SCHEMA}`", read.schema)));
        }
        for group in read.prices {
            if !is_date(&group.as_of) {
                return Err(invalid(format!("`{}`: as_of `{}` is not YYYY-MM-DD", group.dimension, group.as_of)));
            }
            for (region, usd) in group.usd {
                if !usd.is_finite() || usd < 0.0 {
                    return Err(invalid(format!("`{}` in {region} costs {usd}", group.dimension)));
                }
                let price = Price {
                    service: group.service.clone(),
                    dimension: group.dimension.clone(),
                    region: region.clone(),
                    amount: usd,
                    currency: read.currency.clone(),
                    unit: group.unit.clone(),
                    as_of: group.as_of.clone(),
                    source: group.source.clone(),
                    confidence: group.confidence,
                    dimension_inferred: group.dimension_is.is_some(),
                };
                let place = self.prices.entry(group.service.clone()).or_default();
                let earlier = place.entry(group.dimension.clone()).or_default().insert(region.clone(), price);
                if earlier.is_some() {
                    return Err(invalid(format!("`{}` has two prices in {region}", group.dimension)));
                }
            }
        }
        Ok(())
    }

    /// What no single file can promise.
    fn check(&mut self) -> Result<(), Error> {
        for service in &self.services {
            let file = format!("services/{}.toml", service.id);
            let invalid = |problem: String| Error::Invalid { file: file.clone(), problem };
            let mut ids: Vec<&str> = service.variants.iter().map(|v| v.id.as_str()).collect();
            ids.sort_unstable();
            if let Some([twice, ..]) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(invalid(format!("variant `{twice}` occurs twice")));
            }
            let known = self.prices.get(&service.id);
            for variant in &service.variants {
                for dimension in variant.dimensions() {
                    if known.is_none_or(|prices| !prices.contains_key(dimension)) {
                        return Err(invalid(format!(
                            "`{}` needs price `{dimension}`, which no region has",
                            variant.id
                        )));
                    }
                }
            }
            for facet in &service.metadata.facets {
                if !Facets(u32::MAX).names().any(|name| name == facet) {
                    return Err(invalid(format!("`{facet}` is not a facet of metadata")));
                }
            }
            for tag in source_tags(service) {
                if !self.sources.contains_key(tag) {
                    return Err(invalid(format!("source `{tag}` is not in sources.toml")));
                }
            }
        }
        let all = || self.prices.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        let mut regions: Vec<String> = all().map(|p| p.region.clone()).collect();
        regions.sort_unstable();
        regions.dedup();
        self.as_of = all().map(|p| p.as_of.as_str()).min().unwrap_or_default().to_owned();
        self.regions = regions;
        Ok(())
    }

    /// All services, in the catalog's order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }
    /// The service with this id.
    pub fn service(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.id == id)
    }
    /// The variant of S3 that the API calls so (`STANDARD_IA`).
    pub fn storage_class(&self, name: &str) -> Option<&Variant> {
        let s3 = self.service("s3")?;
        s3.variants.iter().find(|v| v.configuration.get("StorageClass").is_some_and(|class| class == name))
    }
    /// Every region that has prices, sorted.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }
    /// The oldest as-of date of all prices, `YYYY-MM-DD`.
    pub fn as_of(&self) -> &str {
        &self.as_of
    }
    /// What a source tag stands for.
    pub fn source(&self, tag: &str) -> Option<&SourceNote> {
        self.sources.get(tag)
    }
    /// Refuses a region without prices.
    pub fn check_region(&self, region: &str) -> Result<(), Error> {
        if self.regions.iter().any(|known| known == region) {
            return Ok(());
        }
        Err(Error::UnknownRegion { region: region.to_owned(), known: self.regions.clone() })
    }
    /// The price of `dimension` of a service in a region.
    pub fn price(&self, service: &str, dimension: &str, region: &str) -> Result<&Price, Error> {
        self.check_region(region)?;
        let found = self.prices.get(service).and_then(|p| p.get(dimension)).and_then(|p| p.get(region));
        found.ok_or_else(|| Error::NoPrice {
            service: service.to_owned(),
            dimension: dimension.to_owned(),
            region: region.to_owned(),
        })
    }
    /// Does the region have every price that the variant needs, and so the variant itself?
    pub fn offers(&self, service: &Service, variant: &Variant, region: &str) -> bool {
        variant.dimensions().into_iter().all(|dimension| self.price(&service.id, dimension, region).is_ok())
    }
}

/// Every source tag that a service names.
fn source_tags(service: &Service) -> Vec<&str> {
    let limits = &service.limits;
    let numbers = [
        &limits.max_file_bytes,
        &limits.max_default_file_bytes,
        &limits.max_single_put_bytes,
        &limits.max_parts,
        &limits.min_part_bytes,
        &limits.max_part_bytes,
        &limits.max_path_bytes,
        &limits.max_path_utf16,
        &limits.max_name_bytes,
        &limits.max_name_utf16,
        &limits.max_link_target_bytes,
        &limits.max_hard_links,
        &limits.max_depth,
        &limits.default_inodes,
        &limits.max_user_metadata_bytes,
        &limits.max_write_requests_per_second,
        &limits.max_read_requests_per_second,
        &limits.max_throughput_mibps,
        &limits.max_iops,
        &limits.max_provisioned_mibps,
        &service.assumptions.included_iops_per_gib,
        &service.assumptions.included_gib_per_mibps,
        &service.assumptions.cooling_days,
        &service.assumptions.pool_object_kib,
    ];
    let mut texts: Vec<&str> = numbers.into_iter().flatten().map(|f| f.source.as_str()).collect();
    let shares = [&service.assumptions.fill, &service.assumptions.pool_metadata_share];
    texts.extend(shares.into_iter().flatten().map(|f| f.source.as_str()));
    texts.extend([service.names.source.as_str(), service.metadata.source.as_str()]);
    for variant in &service.variants {
        let whole = [
            &variant.restore_hours,
            &variant.min_days,
            &variant.min_billable_bytes,
            &variant.tiering_min_bytes,
            &variant.overhead_bytes,
            &variant.overhead_standard_bytes,
            &variant.max_iops_per_gib,
            &variant.max_pairs,
        ];
        texts.extend(whole.into_iter().flatten().map(|f| f.source.as_str()));
        let rates = [&variant.latency_ms, &variant.mbps_per_tib, &variant.iops_per_tib];
        texts.extend(rates.into_iter().flatten().map(|f| f.source.as_str()));
        texts.extend(variant.capacity.iter().map(|c| c.source.as_str()));
        texts.extend(variant.throughput.iter().map(|t| t.source.as_str()));
        texts.push(&variant.availability.source);
    }
    texts.into_iter().flat_map(str::split_ascii_whitespace).collect()
}

/// Is it `YYYY-MM-DD`?
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() })
}

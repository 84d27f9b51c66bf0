//! An S3 Inventory report: a bucket as it was when the report was made.

use crate::{Collector, Protocol};
use async_trait::async_trait;
use driver_s3_inventory::InventoryStore;
use inventory::{Finding, SecondCount, System, Weight};
use model::{ByteSize, Facets, Location, human_count};
use std::{collections::BTreeMap, sync::Arc};
use storage::Source;

/// The objects of a report.
#[derive(Debug)]
struct Report {
    store: Arc<InventoryStore>,
}

/// Of a report that was read; `location` is how it was called.
pub fn collector(store: InventoryStore, location: &Location) -> Collector {
    let store = Arc::new(store);
    let source = Arc::clone(&store) as Arc<dyn Source>;
    Collector::new(location.clone(), source, Report { store })
}

impl Report {
    fn made(&self) -> String {
        jiff::Timestamp::from_second(self.store.manifest().created.secs).unwrap_or_default().to_string()
    }
}

#[async_trait]
impl Protocol for Report {
    fn told(&self, _reads: Facets) -> Facets {
        Facets::MTIME
    }
    async fn identify(&self) -> storage::Result<System> {
        let manifest = self.store.manifest();
        let details = BTreeMap::from([
            ("bucket".to_owned(), manifest.source_bucket.clone()),
            ("report-made".to_owned(), self.made()),
            ("report-columns".to_owned(), manifest.columns.join(" ")),
            ("report-files".to_owned(), manifest.files.len().to_string()),
        ]);
        let product = Some("S3 Inventory report".to_owned());
        Ok(System { protocol: "s3".to_owned(), product, version: None, details })
    }
    async fn findings(&self) -> storage::Result<Vec<Finding>> {
        let report = self.store.report();
        let made =
            format!("this is the bucket as it was {}; discover the bucket before the last pass of a move", self.made());
        let mut findings = vec![Finding::new("age-of-report", Weight::Note, made)];
        if report.noncurrent > 0 {
            let detail =
                "versions that are no longer current are kept and paid for. A move takes the current ones only";
            let found = Finding::new("noncurrent-versions", Weight::Warning, detail);
            findings.push(found.counted(report.noncurrent).sized(report.noncurrent_bytes));
        }
        if report.delete_markers > 0 {
            findings
                .push(Finding::new("delete-markers", Weight::Note, "marks of deletion").counted(report.delete_markers));
        }
        if !report.classes.is_empty() {
            let told = report
                .classes
                .iter()
                .map(|(class, (objects, bytes))| format!("{class} {} ({})", human_count(*objects), ByteSize(*bytes)));
            let detail = format!("storage classes: {}", told.collect::<Vec<_>>().join(", "));
            findings.push(Finding::new("storage-classes", Weight::Note, detail));
        }
        Ok(findings)
    }
    /// Directory markers count as objects in the report, so only the bytes can be compared.
    async fn second_count(&self) -> storage::Result<Option<SecondCount>> {
        let size_bytes = Some(self.store.report().bytes);
        Ok(Some(SecondCount { method: "totals of the report".to_owned(), files: None, dirs: None, size_bytes }))
    }
}

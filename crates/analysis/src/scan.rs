//! One pass over every entry: the only place that knows polars.
//!
//! Both queries stream: memory does not grow with the number of entries. Sizes are grouped after rounding
//! to 8 significant bits, so that percentiles come from at most some thousands of groups and are exact to
//! 0.4 %. Rounding uses Veltkamp's splitting, which needs nothing but a product and two differences.

use crate::Error;
use crate::facts::{Cold, PART_BYTES, SMALL_BYTES, TINY_BYTES};
use polars::prelude::*;
use std::path::PathBuf;

/// 2^45 + 1: splitting by it leaves 8 of the 53 significant bits.
const SPLITTER: f64 = 35_184_372_088_833.0;
/// Seconds.
const DAY: i64 = 86_400;
/// Nanoseconds.
const SECOND: i64 = 1_000_000_000;
/// Most parts of a multipart upload to S3; larger files get larger parts.
const MAX_PARTS: u64 = 10_000;

/// What only the single entries can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Regular files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Half of the files are at most this large (to 0.4 %).
    pub p50_bytes: u64,
    /// 90 % of the files are at most this large (to 0.4 %).
    pub p90_bytes: u64,
    /// 99 % of the files are at most this large (to 0.4 %).
    pub p99_bytes: u64,
    /// The largest file.
    pub largest_bytes: u64,
    /// Files below 64 KiB.
    pub tiny_files: u64,
    /// Files below 128 KiB.
    pub small_files: u64,
    /// Bytes of files below 128 KiB.
    pub small_bytes: u64,
    /// PUT-like requests that upload every file once, multipart uploads included.
    pub put_requests: u64,
    /// Files not changed for 30, 90 and 365 days.
    pub unchanged: [Cold; 3],
    /// Files neither changed nor read for 30, 90 and 365 days.
    pub unused: [Cold; 3],
}

/// Reads the files of entries of one system. `now_secs` is the moment that ages count from, in seconds
/// since 1970; ages are whole days as everywhere in an inventory.
pub fn scan(files: &[PathBuf], now_secs: i64) -> Result<Scan, Error> {
    if files.is_empty() {
        return Ok(Scan::default());
    }
    let sums = sums(files, now_secs).map_err(wrong)?;
    let percentiles = percentiles(files).map_err(wrong)?;
    let [p50_bytes, p90_bytes, p99_bytes] = percentiles.map(|p| p.min(sums.largest_bytes));
    Ok(Scan { p50_bytes, p90_bytes, p99_bytes, ..sums })
}

#[expect(clippy::needless_pass_by_value, reason = "this is the shape that `map_err` wants")]
fn wrong(error: PolarsError) -> Error {
    Error::Entries { message: error.to_string() }
}

/// The regular files of all parts; only the columns that a query names are read.
fn regular(files: &[PathBuf]) -> PolarsResult<LazyFrame> {
    let paths = files.iter().map(|path| PlRefPath::try_from_path(path)).collect::<PolarsResult<Vec<_>>>()?;
    let args = ScanArgsParquet { glob: false, cache: false, ..ScanArgsParquet::default() };
    Ok(LazyFrame::scan_parquet_files(paths.into(), args)?.filter(col("kind").eq(lit("file"))))
}

fn collect(frame: LazyFrame) -> PolarsResult<DataFrame> {
    Ok(frame.collect_with_engine(Engine::Streaming)?.unwrap_single())
}

fn sums(files: &[PathBuf], now_secs: i64) -> PolarsResult<Scan> {
    let size = || col("size");
    let below = |bytes: u64| size().lt(lit(bytes));
    let total = |what: Expr, of: Expr| when(of).then(what).otherwise(lit(0_u64)).sum();
    let one = || lit(1_u64);
    // `/` of two integers rounds down, as in Rust.
    let parts = (size() + lit(PART_BYTES - 1)) / lit(PART_BYTES);
    let parts = when(parts.clone().gt(lit(MAX_PARTS))).then(lit(MAX_PARTS)).otherwise(parts);
    let puts = when(size().lt_eq(lit(PART_BYTES))).then(one()).otherwise(parts + lit(2_u64));
    // Where the server keeps no times of reading, the time of change stands for both.
    let used = when(col("atime_ns").gt(col("mtime_ns"))).then(col("atime_ns")).otherwise(col("mtime_ns"));
    let mut wanted = vec![
        one().sum().alias("one"),
        size().sum().alias("bytes"),
        size().max().alias("largest"),
        total(one(), below(TINY_BYTES)).alias("tiny"),
        total(one(), below(SMALL_BYTES)).alias("small"),
        total(size(), below(SMALL_BYTES)).alias("small_bytes"),
        puts.sum().alias("puts"),
        len().alias("files"),
    ];
    for (name, time) in [("unchanged", col("mtime_ns")), ("unused", used)] {
        for days in Cold::DAYS {
            // At least `days` whole days old, counted in whole seconds as in a profile; what has no time is not old.
            let limit = now_secs.saturating_add(1).saturating_sub(i64::from(days) * DAY).saturating_mul(SECOND);
            let old = || time.clone().lt(lit(limit)).fill_null(lit(false));
            wanted.push(total(one(), old()).alias(format!("{name}_{days}_files")));
            wanted.push(total(size(), old()).alias(format!("{name}_{days}_bytes")));
            wanted.push(total(one(), old().and(below(SMALL_BYTES))).alias(format!("{name}_{days}_small_files")));
            wanted.push(total(size(), old().and(below(SMALL_BYTES))).alias(format!("{name}_{days}_small_bytes")));
        }
    }
    let row = collect(regular(files)?.select(wanted))?;
    let value = |name: &str| -> PolarsResult<u64> {
        let column = row.column(name)?.cast(&DataType::UInt64)?;
        Ok(column.u64()?.get(0).unwrap_or(0))
    };
    let cold = |name: &str| -> PolarsResult<[Cold; 3]> {
        let mut found = [Cold::default(); 3];
        for (cold, days) in found.iter_mut().zip(Cold::DAYS) {
            *cold = Cold {
                files: value(&format!("{name}_{days}_files"))?,
                bytes: value(&format!("{name}_{days}_bytes"))?,
                small_files: value(&format!("{name}_{days}_small_files"))?,
                small_bytes: value(&format!("{name}_{days}_small_bytes"))?,
            };
        }
        Ok(found)
    };
    Ok(Scan {
        files: value("files")?,
        bytes: value("bytes")?,
        largest_bytes: value("largest")?,
        tiny_files: value("tiny")?,
        small_files: value("small")?,
        small_bytes: value("small_bytes")?,
        put_requests: value("puts")?,
        unchanged: cold("unchanged")?,
        unused: cold("unused")?,
        ..Scan::default()
    })
}

/// p50, p90 and p99 of the sizes.
fn percentiles(files: &[PathBuf]) -> PolarsResult<[u64; 3]> {
    let size = || col("size").cast(DataType::Float64);
    let product = || size() * lit(SPLITTER);
    let rounded = product() - (product() - size());
    let grouped = regular(files)?.group_by([rounded.alias("rounded")]).agg([len().alias("files")]);
    let groups = collect(grouped)?;
    let sizes = groups.column("rounded")?.cast(&DataType::UInt64)?;
    let counts = groups.column("files")?.cast(&DataType::UInt64)?;
    let mut sorted: Vec<(u64, u64)> = sizes
        .u64()?
        .iter()
        .zip(counts.u64()?.iter())
        .map(|(size, count)| (size.unwrap_or(0), count.unwrap_or(0)))
        .collect();
    sorted.sort_unstable();
    let all: u64 = sorted.iter().map(|(_, count)| count).sum();
    Ok([50, 90, 99].map(|percent| {
        let wanted = (u128::from(all) * percent).div_ceil(100);
        let mut seen = 0_u128;
        let reached = sorted.iter().find(|(_, count)| {
            seen += u128::from(*count);
            seen >= wanted
        });
        reached.map_or(0, |(size, _)| *size)
    }))
}

#[cfg(test)]
mod tests;

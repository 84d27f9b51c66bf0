//! The one place of the command line that looks at the clock.

use jiff::Timestamp;

/// Now, as the journal wants it.
pub fn now() -> model::Timestamp {
    model::Timestamp::from_total_nanos(Timestamp::now().as_nanosecond())
        .expect("jiff's years 1 to 9999 fit in 64 bits of seconds")
}

/// Now, RFC 3339 in UTC to the second.
pub fn now_text() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Largest resident memory of this process so far, bytes; `None` where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Seconds that the clock on the wall of this host is ahead of UTC.
pub fn offset() -> i64 {
    i64::from(chrono::Local::now().offset().local_minus_utc())
}

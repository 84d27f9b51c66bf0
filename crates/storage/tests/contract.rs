//! The store in memory, and every wrapper over it, keep the contract.

use longshore_storage::{
    Considerate, Deadline, Deadlines, FaultPlan, Faulty, Limited, Limits, MemoryStore, NoProbe, Patience, RetryPolicy,
    Retrying, Target, Timed,
    contract::{NoSubject, Subject, Suite},
    wrap::{Door, Fault},
};
use std::{num::NonZeroUsize, process::ExitCode, sync::Arc};

type Wrap = fn(Arc<dyn Target>) -> Arc<dyn Target>;

fn main() -> ExitCode {
    let wraps: [(&str, Wrap); 8] = [
        ("plain", |store| store),
        ("retrying", |store| Arc::new(Retrying::new(store, RetryPolicy::default(), 1))),
        ("limited", |store| {
            let in_flight = NonZeroUsize::new(4).expect("4 is not 0");
            Arc::new(Limited::new(store, &Limits { in_flight, bytes_per_second: None, requests_per_second: None }))
        }),
        ("considerate", |store| {
            let in_flight = NonZeroUsize::new(4).expect("4 is not 0");
            Arc::new(Considerate::new(store, Patience::new(in_flight)))
        }),
        ("deadline", |store| Arc::new(Deadline::new(store, Deadlines::default()))),
        ("timed", |store| Arc::new(Timed::new(store, Arc::new(NoProbe)))),
        ("faulty", |store| Arc::new(Faulty::new(store, FaultPlan::default()))),
        // The promise of trying again: over a bad network everything holds as if it were a good one.
        ("retrying-faulty", |store| {
            let base = std::time::Duration::from_micros(1);
            let policy = RetryPolicy { tries: 40, base, ..RetryPolicy::default() };
            let mut plan = FaultPlan::transient(4211, 100);
            // An upload that was opened without an answer stays behind: nobody knows its token.
            plan.rules.retain(|rule| rule.door != Door::Create || !matches!(rule.fault, Fault::After(_)));
            Arc::new(Retrying::new(Arc::new(Faulty::new(store, plan)), policy, 1))
        }),
    ];
    let mut suite = Suite::default();
    for (name, wrap) in wraps {
        let stores = [
            ("tree", MemoryStore::tree as fn() -> MemoryStore),
            ("keys", || MemoryStore::keys(100_000)),
            ("small-pages", || MemoryStore::tree().with_page(7)),
            ("small-key-pages", || MemoryStore::keys(1).with_page(7)),
        ];
        for (flavour, make) in stores {
            if flavour.starts_with("small") && !name.starts_with("retrying") {
                continue; // pages matter to who resumes them
            }
            suite = suite.with(&format!("{flavour}-{name}"), move |word| async move {
                let store = wrap(Arc::new(make()));
                Ok::<_, NoSubject>(Subject::writable(store, word.as_str().into()))
            });
        }
    }
    suite.run(&libtest_mimic::Arguments::from_args())
}

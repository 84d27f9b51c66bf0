//! Gets a ticket for a service and says how long its first token is:
//! `ticket SERVICE@HOST [PRINCIPAL KEYTAB]`.

use longshore_kerberos::{Context, Credentials, Mechanism};

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let credentials =
        Credentials { principal: given.get(1).cloned(), keytab: given.get(2).map(Into::into), ccache: None };
    let service = given.first().map_or("HTTP@localhost", String::as_str);
    let step = Context::initiate(service, &credentials, Mechanism::Kerberos).and_then(|mut context| context.step(None));
    #[expect(clippy::print_stdout, reason = "an example for people")]
    match step {
        Ok(step) => println!("token of {} bytes, done: {}", step.token.map_or(0, |token| token.len()), step.done),
        Err(error) => println!("{error} ({:?}); {}", error.reason(), error.hint().unwrap_or("no hint")),
    }
}

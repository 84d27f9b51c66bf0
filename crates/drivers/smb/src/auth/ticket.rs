//! Kerberos by the GSSAPI library of this machine, in blocking tasks: the library may ask the KDC.

use crate::failure::Failure;
use kerberos::{Context, Credentials, Mechanism, Step};
use zeroize::Zeroizing;

/// Our side. The context travels into the blocking task and back.
pub(crate) struct Client {
    context: Option<Context>,
    done: bool,
}

impl Client {
    /// Begins: a ticket for `cifs@host` and the first token.
    pub async fn begin(host: &str, credentials: Credentials) -> Result<(Self, Vec<u8>), Failure> {
        let service = format!("cifs@{host}");
        let begun = blocking(move || {
            let mut context = Context::initiate(&service, &credentials, Mechanism::Kerberos)?;
            let step = context.step(None)?;
            Ok((context, step))
        });
        let (context, step) = begun.await?;
        let token = step.token.ok_or(Failure::Authentication("Kerberos has no first token"))?;
        Ok((Self { context: Some(context), done: step.done }, token))
    }

    /// Takes a token of the server and gives the next of ours, if any.
    pub async fn step(&mut self, token: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(token) = token else {
            return Err(Failure::Authentication("the server asks for more, but sent no token of Kerberos"));
        };
        Ok(self.take(token).await?.token)
    }

    /// Takes the last token, by which the server proves that it is the one the ticket is for.
    pub async fn finish(&mut self, token: Option<Vec<u8>>) -> Result<(), Failure> {
        if !self.done
            && let Some(token) = token
        {
            self.take(token).await?;
        }
        if self.done { Ok(()) } else { Err(Failure::Authentication("the server did not prove who it is")) }
    }

    async fn take(&mut self, token: Vec<u8>) -> Result<Step, Failure> {
        let mut context = self.context.take().ok_or(Failure::Authentication("Kerberos failed before"))?;
        let stepped = blocking(move || {
            let step = context.step(Some(&token))?;
            Ok((context, step))
        });
        let (context, step) = stepped.await?;
        self.context = Some(context);
        self.done = step.done;
        Ok(step)
    }

    pub fn session_key(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let context = self.context.as_ref().ok_or(Failure::Authentication("Kerberos failed before"))?;
        context.session_key().map(Zeroizing::new).map_err(Failure::Kerberos)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, kerberos::Error> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Failure::Kerberos),
        Err(_panic) => Err(Failure::Authentication("the Kerberos library failed")),
    }
}

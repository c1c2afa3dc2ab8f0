//! Mail, by the operator's server, over TLS or not at all.

use super::{Message, Sent, words};
use crate::config::Smtp;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::time::Duration;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What sends mail.
pub(super) struct Mailer {
    smtp: Smtp,
}

impl Mailer {
    pub(super) fn new(smtp: Smtp) -> Self {
        Self { smtp }
    }

    pub(super) async fn send(&self, to: &[String], message: &Message<'_>) -> Sent {
        let mail = match self.write(to, message) {
            Ok(mail) => mail,
            Err(why) => return Sent::Never(why),
        };
        let transport = match self.transport() {
            Ok(transport) => transport,
            Err(why) => return Sent::Later(why, 0),
        };
        match transport.send(mail).await {
            Ok(answer) => Sent::Taken(answer.message().collect::<Vec<_>>().join(" ")),
            // A server may be set up anew, so nothing that it says is the last word.
            Err(error) => Sent::Later(words(&error), 0),
        }
    }

    fn write(&self, to: &[String], message: &Message<'_>) -> Result<lettre::Message, String> {
        let address = |text: &str| {
            text.parse::<Address>()
                .map(|address| Mailbox::new(None, address))
                .map_err(|_| format!("`{text}` is no address"))
        };
        let from = address(&self.smtp.from)?;
        // The same each time it is sent: whoever collects mail may tell that it had it.
        let id = format!("<{}@{}>", message.id, from.email.domain());
        let mut mail =
            MessageBuilder::new().from(from).subject(message.text.title.clone()).message_id(Some(id));
        for one in to {
            mail = mail.to(address(one)?);
        }
        let mail = mail.header(ContentType::TEXT_PLAIN);
        mail.body(message.text.body.clone()).map_err(|error| error.to_string())
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let Smtp { host, port, at_once, ca, user, password, .. } = &self.smtp;
        let mut tls = TlsParameters::builder(host.clone());
        if !ca.is_empty() {
            let pem = std::fs::read(ca).map_err(|error| format!("`smtp.ca` cannot be read: {error}"))?;
            let certificate =
                Certificate::from_pem(&pem).map_err(|error| format!("`smtp.ca`: {}", words(&error)))?;
            tls = tls.add_root_certificate(certificate);
        }
        let tls = tls.build_rustls().map_err(|error| words(&error))?;
        let tls = if *at_once { Tls::Wrapper(tls) } else { Tls::Required(tls) };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(*port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if !user.is_empty() {
            transport = transport.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        Ok(transport.build())
    }
}

//! E-mail through an SMTP server (RFC 5321), with lettre.
//!
//! The server's address may hold a password: it is never logged and stands in no error. A name
//! from outside never becomes a header: subjects and file names are ours, and lettre refuses or
//! encodes what could end a line.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use actors::Mailer;
use actors::mail::{Attachment, Mail, MailError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

/// How long a server may take for each step.
const STEP_WAIT_MAX: Duration = Duration::from_secs(20);
/// Who mails are from, where nobody is configured.
const FROM_DEFAULT: &str = "slackwater@localhost";

/// An SMTP server to send through.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// What is wrong with the configuration; holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMailer {
    /// The server's address.
    #[error("expected an address such as smtp://HOST:PORT or smtps://USER:PASSWORD@HOST")]
    Url,
    /// Who mails are from.
    #[error("expected an address such as Slackwater <slackwater@example.com>")]
    From,
}

impl SmtpMailer {
    /// A mailer for the server at `url`, with mails from `from`. `smtps` is TLS; `smtp` is TLS by
    /// STARTTLS if `?tls=required` says so, or if there is a password that would go over a network.
    pub fn new(url: &str, from: Option<&str>) -> Result<Self, InvalidMailer> {
        let from = mailbox(from.unwrap_or(FROM_DEFAULT))?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&secured(url))
            .map_err(|_| InvalidMailer::Url)?
            .timeout(Some(STEP_WAIT_MAX))
            .build();
        Ok(Self { transport, from })
    }

    fn message(&self, mail: Mail) -> Result<Message, String> {
        let Mail { id, to, subject, text, csv, at } = mail;
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(SystemTime::from(at))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())));
        for address in to {
            let address: Address = address.parse().map_err(|_| "an address is not valid")?;
            message = message.to(Mailbox::new(None, address));
        }
        let text = SinglePart::plain(text);
        let made = match csv {
            None => message.singlepart(text),
            Some(Attachment { name, bytes }) => {
                let csv = ContentType::parse("text/csv; charset=utf-8")
                    .map_err(|error| error.to_string())?;
                let file = lettre::message::Attachment::new(name).body(bytes, csv);
                message.multipart(MultiPart::mixed().singlepart(text).singlepart(file))
            }
        };
        made.map_err(|error| error.to_string())
    }
}

impl Mailer for SmtpMailer {
    fn send(&self, mail: Mail) -> BoxFuture<'static, Result<(), MailError>> {
        let message = self.message(mail).map_err(MailError::Permanent);
        let transport = self.transport.clone();
        async move {
            match transport.send(message?).await {
                Ok(_) => Ok(()),
                Err(error) => Err(failure(&error)),
            }
        }
        .boxed()
    }
}

/// Reads who mails are from.
pub fn mailbox(text: &str) -> Result<Mailbox, InvalidMailer> {
    text.parse().map_err(|_| InvalidMailer::From)
}

/// The address with TLS demanded where a password would else go over a network in the clear.
fn secured(url: &str) -> Cow<'_, str> {
    let Some(rest) = url.strip_prefix("smtp://") else { return url.into() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((_, host)) = authority.rsplit_once('@') else { return url.into() };
    let is_own = host.starts_with("127.0.0.1") || host.starts_with("[::1]");
    let is_own = is_own || host == "localhost" || host.starts_with("localhost:");
    if is_own || url.contains("tls=") {
        return url.into();
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}tls=required").into()
}

/// Only the server's own "never" is taken for one.
fn failure(error: &smtp::Error) -> MailError {
    // What the server says may repeat addresses: its code is enough.
    let text = match error.status() {
        Some(code) => format!("the server answered {code}"),
        None if error.is_timeout() => "the server did not answer in time".to_owned(),
        None if error.is_tls() => "the connection could not be secured".to_owned(),
        None => "the server could not be reached".to_owned(),
    };
    if error.is_permanent() { MailError::Permanent(text) } else { MailError::Temporary(text) }
}

impl std::fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SmtpMailer")
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn mailer(from: &str) -> SmtpMailer {
        SmtpMailer::new("smtp://127.0.0.1:2525", Some(from)).unwrap()
    }

    fn mail(to: &str, subject: &str) -> Mail {
        Mail {
            id: "acme-equipment-1".into(),
            to: vec![to.into()],
            subject: subject.into(),
            text: "Ada\r\n.\r\nBcc: eve@example.com".into(),
            csv: Some(Attachment { name: "report.csv".into(), bytes: b"asset_id\r\n".to_vec() }),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_bad_configuration_is_refused_without_being_repeated() {
        for bad in ["", "secret", "http://user:secret@host", "smtp://"] {
            let error = SmtpMailer::new(bad, None).unwrap_err();
            assert_eq!(error, InvalidMailer::Url, "{bad}");
            assert!(!error.to_string().contains("secret"));
        }
        for bad in ["nobody", "a@x.org\r\nBcc: b@x.org", ""] {
            let error = SmtpMailer::new("smtp://127.0.0.1", Some(bad)).unwrap_err();
            assert_eq!(error, InvalidMailer::From, "{bad}");
        }
    }

    #[test]
    fn a_password_does_not_go_over_a_network_in_the_clear() {
        for (url, expected) in [
            ("smtp://u:p@mail.example.com:587", "smtp://u:p@mail.example.com:587?tls=required"),
            (
                "smtp://u:p@127.evil@mail.example.com",
                "smtp://u:p@127.evil@mail.example.com?tls=required",
            ),
            ("smtp://u:p@localhost.example.com", "smtp://u:p@localhost.example.com?tls=required"),
            ("smtp://u:p@host?tls=opportunistic", "smtp://u:p@host?tls=opportunistic"),
            ("smtp://u:p@127.0.0.1:25", "smtp://u:p@127.0.0.1:25"),
            ("smtp://u:p@localhost:25", "smtp://u:p@localhost:25"),
            ("smtp://relay:25", "smtp://relay:25"),
            ("smtps://u:p@host", "smtps://u:p@host"),
        ] {
            assert_eq!(secured(url), expected);
        }
        SmtpMailer::new("smtp://u:p@mail.example.com:587", None).unwrap();
    }

    #[test]
    fn nothing_from_outside_becomes_a_header() {
        let mailer = mailer("Slackwater <sw@example.com>");
        mailer.message(mail("it@example.com\r\nBcc: eve@example.com", "s")).unwrap_err();

        let message = mailer.message(mail("it@example.com", "s\r\nBcc: eve@example.com")).unwrap();

        let text = String::from_utf8(message.formatted()).unwrap();
        let (headers, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
        assert!(headers.contains("Message-ID: <acme-equipment-1@example.com>"), "{headers}");
    }
}

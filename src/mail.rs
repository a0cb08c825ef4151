//! E-mail through an SMTP server (RFC 5321), with lettre.
//!
//! The server's address may hold a password: it is never logged and stands in no error. A name
//! from outside never becomes a header: subjects and file names are ours, and lettre refuses or
//! encodes what could end a line.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use actors::Mailer;
use actors::mail::{Attachment, Mail, MailError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Url;

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
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(secured(url)?.as_str())
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
/// It is read here as it is read by lettre, so that both see the same host and the same `tls`.
fn secured(url: &str) -> Result<Url, InvalidMailer> {
    let mut url = Url::parse(url).map_err(|_| InvalidMailer::Url)?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    let says_how = url.query_pairs().any(|(key, _)| key == "tls");
    if url.scheme() == "smtp" && has_credentials && !says_how && !is_own(&url) {
        url.query_pairs_mut().append_pair("tls", "required");
    }
    Ok(url)
}

/// Whether the host is this machine.
fn is_own(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
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
                "smtp://u:p%40127.evil@mail.example.com?tls=required",
            ),
            ("smtp://u:p@localhost.example.com", "smtp://u:p@localhost.example.com?tls=required"),
            ("smtp://u:p@host?tls=opportunistic", "smtp://u:p@host?tls=opportunistic"),
            ("smtp://u:p@127.0.0.1:25", "smtp://u:p@127.0.0.1:25"),
            ("smtp://u:p@localhost:25", "smtp://u:p@localhost:25"),
            ("SMTP://u:p@host", "smtp://u:p@host?tls=required"),
            ("Smtp://u:p@host?tls=required", "smtp://u:p@host?tls=required"),
            ("smtp://u:ptls=x@host", "smtp://u:ptls%3Dx@host?tls=required"),
            ("smtp://u:p@host/tls=x", "smtp://u:p@host/tls=x?tls=required"),
            ("smtp://u:p@host?xtls=y", "smtp://u:p@host?xtls=y&tls=required"),
            ("smtp://u:p@host?a=tls=b", "smtp://u:p@host?a=tls=b&tls=required"),
            ("smtp://u:p@host#?tls=x", "smtp://u:p@host?tls=required#?tls=x"),
            ("smtp://u:p@127.0.0.1.example.com", "smtp://u:p@127.0.0.1.example.com?tls=required"),
            ("smtp://u:p@[2001:db8::1]", "smtp://u:p@[2001:db8::1]?tls=required"),
            ("smtp://u:p@[::1]:25", "smtp://u:p@[::1]:25"),
            ("smtp://u:p@127.0.0.9:25", "smtp://u:p@127.0.0.9:25"),
            ("smtp://u:p@LOCALHOST", "smtp://u:p@LOCALHOST"),
            ("smtp://relay:25", "smtp://relay:25"),
            ("smtps://u:p@host", "smtps://u:p@host"),
        ] {
            assert_eq!(secured(url).unwrap().as_str(), expected, "{url}");
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

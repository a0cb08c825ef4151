//! Configuration: command line over environment over file.
//!
//! Every option of `serve` is a flag, a variable `SLACKWATER_…` and a key of the TOML file. A key
//! that is not known is an error that names the file, the key and the reason.

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use access::duration::HumanDuration;
use actors::vault::VaultKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use serde::Deserialize;
use url::Url;

use crate::mail::{InvalidMailer, SmtpMailer, mailbox};
use crate::telemetry::{LogFormat, otlp};

/// Characters that an operator token must have: a shorter one can be guessed.
const ADMIN_TOKEN_CHARS_MIN: usize = 8;

/// What was refused, with its source.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {reason}")]
pub struct ConfigError {
    /// The file, option or variable.
    pub origin: String,
    /// What is wrong with it.
    pub reason: String,
}

impl ConfigError {
    fn new(origin: impl Into<String>, reason: &dyn std::fmt::Display) -> Self {
        Self { origin: origin.into(), reason: reason.to_string() }
    }
}

/// The options of `serve`, as given.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeOptions {
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "SLACKWATER_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Data directory; made if it is missing [default: ./data]
    #[arg(long, env = "SLACKWATER_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The address under which the directory reaches this service; without it, the Host header
    #[arg(long, env = "SLACKWATER_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// How long a stop waits for requests in flight [default: 8s]
    #[arg(long, env = "SLACKWATER_DRAIN", value_name = "DURATION")]
    pub drain: Option<String>,
    /// Megabytes of pages kept in memory [default: 256]
    #[arg(long, env = "SLACKWATER_CACHE_MB", value_name = "MEGABYTES")]
    pub cache_mb: Option<usize>,
    /// Failed logins that one address may make in a minute before they are slowed down [default:
    /// 20, without regard to this machine's own]
    #[arg(long, env = "SLACKWATER_FAILED_LOGINS_PER_MINUTE", value_name = "NUMBER")]
    pub failed_logins_per_minute: Option<NonZeroU32>,
    /// What to log, for example "info" or "warn,slackwater=debug" [default: info]
    #[arg(long, env = "SLACKWATER_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// How log lines are written: "json" or "text" [default: json]
    #[arg(long, env = "SLACKWATER_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// The OpenTelemetry collector that spans are sent to (OTLP over HTTP), such as
    /// <http://127.0.0.1:4318>; without it, none are
    #[arg(long, env = "SLACKWATER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Lets webhooks reach private, loopback and link-local addresses, and http [default: false]
    #[arg(
        long, env = "SLACKWATER_ALLOW_PRIVATE_WEBHOOKS", value_name = "BOOL",
        num_args = 0..=1, default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub allow_private_webhooks: Option<bool>,
    /// Whether requests of directories are recorded, for administrators to look at; less passwords
    /// and tokens [default: true]
    #[arg(
        long, env = "SLACKWATER_RECORD_REQUESTS", value_name = "BOOL",
        num_args = 0..=1, default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub record_requests: Option<bool>,
    /// The key that secrets are encrypted with: the base64 of 32 bytes; better given by the
    /// variable. Without it secrets are kept unencrypted
    #[arg(long, env = "SLACKWATER_SECRET_KEY", value_name = "BASE64", hide_env_values = true)]
    pub secret_key: Option<String>,
    /// A TOML file with these options as keys
    #[arg(long, env = "SLACKWATER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The operator token, better given by the variable: others can see a command line. Without
    /// it the first start makes one and prints it
    #[arg(long, env = "SLACKWATER_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
    /// The SMTP server that reports are mailed through, better given by the variable if it holds a
    /// password; without it, there are no mails
    #[arg(long, env = "SLACKWATER_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Who mails are from; without it, slackwater@localhost
    #[arg(long, env = "SLACKWATER_SMTP_FROM", value_name = "ADDRESS")]
    pub smtp_from: Option<String>,
}

/// The keys of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    data: Option<PathBuf>,
    public_url: Option<String>,
    drain: Option<String>,
    cache_mb: Option<usize>,
    failed_logins_per_minute: Option<NonZeroU32>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    otlp_endpoint: Option<String>,
    smtp_url: Option<String>,
    smtp_from: Option<String>,
    allow_private_webhooks: Option<bool>,
    record_requests: Option<bool>,
    secret_key: Option<String>,
}

/// What `serve` runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Data directory.
    pub data: PathBuf,
    /// The address under which the directory reaches us, without a slash at the end.
    pub public_url: Option<String>,
    /// How long a stop waits.
    pub drain: Duration,
    /// Bytes of pages kept in memory.
    pub cache_bytes: usize,
    /// Failed logins of one address before they are slowed down, if it was said.
    pub failed_logins_per_minute: Option<NonZeroU32>,
    /// What to log.
    pub log: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Where spans are sent.
    pub otlp_endpoint: Option<Url>,
    /// The operator token, if it was given.
    pub admin_token: Option<String>,
    /// Sends e-mails, if a server is configured.
    pub mailer: Option<Arc<SmtpMailer>>,
    /// Whether webhooks may reach private addresses.
    pub allow_private_webhooks: bool,
    /// Whether requests of directories are recorded.
    pub record_requests: bool,
    /// What secrets are encrypted with.
    pub secret_key: Option<SecretKey>,
}

/// A key that does not show itself.
#[derive(Clone)]
pub struct SecretKey(pub VaultKey);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey")
    }
}

impl ServeOptions {
    /// The configuration that flags, variables and file make.
    pub fn resolve(self) -> Result<Config, ConfigError> {
        let file = self.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let named = |key: &str, given: bool| match &self.config {
            Some(path) if !given => format!("{}: {key}", path.display()),
            _ => key.to_owned(),
        };
        let origins = [
            named("listen", self.listen.is_some()),
            named("drain", self.drain.is_some()),
            named("public_url", self.public_url.is_some()),
            named("smtp_url", self.smtp_url.is_some()),
            named("smtp_from", self.smtp_from.is_some()),
            named("otlp_endpoint", self.otlp_endpoint.is_some()),
        ];
        let [
            listen_origin,
            drain_origin,
            url_origin,
            smtp_url_origin,
            smtp_from_origin,
            otlp_origin,
        ] = origins;
        let otlp_endpoint = self.otlp_endpoint.or(file.otlp_endpoint).filter(|url| !url.is_empty());
        let otlp_endpoint = otlp_endpoint.map(|url| {
            let reason = "expected an address such as http://127.0.0.1:4318, without a password";
            otlp::endpoint(&url).ok_or_else(|| ConfigError::new(&otlp_origin, &reason))
        });
        let smtp_from = self.smtp_from.or(file.smtp_from);
        if let Some(from) = &smtp_from {
            mailbox(from).map_err(|error| ConfigError::new(&smtp_from_origin, &error))?;
        }
        let mailer = self.smtp_url.or(file.smtp_url).filter(|url| !url.is_empty());
        let mailer = mailer.map(|url| SmtpMailer::new(&url, smtp_from.as_deref())).transpose();
        let mailer = mailer.map_err(|error| match error {
            InvalidMailer::Url => ConfigError::new(&smtp_url_origin, &error),
            InvalidMailer::From => ConfigError::new(&smtp_from_origin, &error),
        })?;
        let listen = self.listen.or(file.listen).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let drain = self.drain.or(file.drain).unwrap_or_else(|| "8s".to_owned());
        let cache_mb = self.cache_mb.or(file.cache_mb).unwrap_or(256);
        let public_url = self.public_url.or(file.public_url);
        let public_url = public_url.map(|url| public_url_of(&url_origin, &url));
        let key_origin = match &self.secret_key {
            Some(_) => "SLACKWATER_SECRET_KEY (--secret-key)".to_owned(),
            None => named("secret_key", false),
        };
        let secret_key = self.secret_key.or(file.secret_key);
        if let Some(token) = &self.admin_token
            && token.chars().count() < ADMIN_TOKEN_CHARS_MIN
        {
            let reason = format!("expected at least {ADMIN_TOKEN_CHARS_MIN} characters");
            return Err(ConfigError::new("SLACKWATER_ADMIN_TOKEN (--admin-token)", &reason));
        }
        Ok(Config {
            listen: address(&listen).ok_or_else(|| {
                let reason = format!("{listen:?} is not an address such as 127.0.0.1:8080");
                ConfigError::new(&listen_origin, &reason)
            })?,
            data: self.data.or(file.data).unwrap_or_else(|| PathBuf::from("./data")),
            public_url: public_url.transpose()?,
            drain: drain
                .parse::<HumanDuration>()
                .map_err(|error| ConfigError::new(&drain_origin, &error))?
                .get(),
            cache_bytes: cache_mb.saturating_mul(1 << 20).max(16 << 20),
            failed_logins_per_minute: self
                .failed_logins_per_minute
                .or(file.failed_logins_per_minute),
            log: self.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_format: self.log_format.or(file.log_format).unwrap_or_default(),
            otlp_endpoint: otlp_endpoint.transpose()?,
            admin_token: self.admin_token,
            mailer: mailer.map(Arc::new),
            allow_private_webhooks: self
                .allow_private_webhooks
                .or(file.allow_private_webhooks)
                .unwrap_or_default(),
            record_requests: self.record_requests.or(file.record_requests).unwrap_or(true),
            secret_key: secret_key.map(|key| secret_key_of(&key_origin, &key)).transpose()?,
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let origin = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::new(&origin, &error))?;
        toml::from_str(&text).map_err(|error| ConfigError::new(&origin, &error.to_string().trim()))
    }
}

/// An address by number or by name.
fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.to_socket_addrs().ok()?.next())
}

/// The error does not repeat the text, which may be a key with a slip in it.
fn secret_key_of(origin: &str, text: &str) -> Result<SecretKey, ConfigError> {
    let bytes = BASE64.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    let reason = "expected the base64 of 32 bytes, such as `openssl rand -base64 32` gives";
    bytes.map(SecretKey).ok_or_else(|| ConfigError::new(origin, &reason))
}

fn public_url_of(origin: &str, text: &str) -> Result<String, ConfigError> {
    let url = text.trim_end_matches('/');
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_url = host.is_some_and(|host| {
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "?#\"<>\\".contains(c))
    });
    if is_url {
        Ok(url.to_owned())
    } else {
        let reason = format!("{text:?} is not an address such as https://scim.example.com");
        Err(ConfigError::new(origin, &reason))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn with_file(text: &str, options: ServeOptions) -> Result<Config, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        ServeOptions { config: Some(file.path().to_owned()), ..options }.resolve()
    }

    #[test]
    fn a_flag_or_variable_beats_the_file() {
        let options = ServeOptions { drain: Some("1s".into()), ..ServeOptions::default() };
        let config = with_file("drain = \"9s\"\nlisten = \"0.0.0.0:1\"", options).unwrap();
        assert_eq!(config.drain, Duration::from_secs(1));
        assert_eq!(config.listen.port(), 1);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = with_file("lisen = \"x\"", ServeOptions::default()).unwrap_err();
        assert!(error.to_string().contains("lisen"), "{error}");
    }

    #[test]
    fn bad_values_are_refused_with_their_name() {
        for (text, name) in [
            ("listen = \"x\"", "listen"),
            ("drain = \"x\"", "drain"),
            ("public_url = \"x\"", "public_url"),
            ("smtp_url = \"x\"", "smtp_url"),
            ("smtp_url = \"smtp://h\"\nsmtp_from = \"x\"", "smtp_from"),
            ("smtp_from = \"x\"", "smtp_from"),
            ("secret_key = \"AAAA\"", "secret_key"),
            ("otlp_endpoint = \"x\"", "otlp_endpoint"),
        ] {
            let error = with_file(text, ServeOptions::default()).unwrap_err();
            assert!(error.origin.ends_with(&format!(": {name}")), "{error}");
        }
        let short = ServeOptions { admin_token: Some("short".into()), ..ServeOptions::default() };
        assert!(!short.resolve().unwrap_err().to_string().contains("short\""));
    }
}

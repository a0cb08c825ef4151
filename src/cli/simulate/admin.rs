//! Which tenants' admin APIs are read, and by which token.
//!
//! An operator token is worth more than anything a simulation does. One that was given for this
//! command goes where the command says. One that lies about in the environment, for `serve` perhaps,
//! goes to this machine alone, unless `--admin-url` says where it belongs.

use clap::error::Error;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use url::Url;

use super::output::whisper;
use crate::cli::Failed;
use crate::simulate::admin::{Access, address, is_this_machine};
use crate::simulate::client::Token;

#[derive(Debug, Args)]
struct Given {
    /// The operator token, where the endpoints are Slackwater's: roles are verified too, and each
    /// wave's role changes and lag are shown. The variable counts for endpoints on this machine, or
    /// with --admin-url
    #[arg(long, env = "SLACKWATER_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Where the admin API is [default: beside endpoints that end in /scim/v2/TENANT]
    #[arg(long, value_name = "URL")]
    admin_url: Option<Url>,
}

/// The options about the admin API, and where the token came from.
#[derive(Debug)]
pub(super) struct AdminOptions {
    token: Option<String>,
    url: Option<Url>,
    is_from_environment: bool,
}

impl FromArgMatches for AdminOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let source = matches.value_source("admin_token");
        let Given { admin_token: token, admin_url: url } = Given::from_arg_matches(matches)?;
        Ok(Self { token, url, is_from_environment: source == Some(ValueSource::EnvVariable) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for AdminOptions {
    fn augment_args(command: Command) -> Command {
        Given::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Given::augment_args_for_update(command)
    }
}

impl AdminOptions {
    /// Refuses what can never be meant.
    pub(super) fn check(&self) -> Result<(), Failed> {
        self.url.as_ref().map_or(Ok(()), |url| super::check_address("--admin-url", url))
    }

    /// How the admin API of an endpoint's tenant is read; none if it is not.
    pub(super) fn access(&self, endpoint: &Url) -> Result<Option<Access>, Failed> {
        let Some(token) = &self.token else { return Ok(None) };
        let address = address(endpoint, self.url.as_ref());
        let may_go_there =
            !self.is_from_environment || self.url.is_some() || is_this_machine(endpoint);
        match address {
            Some(address) if may_go_there => {
                Ok(Some(Access { address, token: Token::new(token.as_str()) }))
            }
            _ if self.is_from_environment => {
                let host = endpoint.host_str().unwrap_or_default();
                whisper(&format!(
                    "SLACKWATER_ADMIN_TOKEN is not sent to {host}: name its --admin-url for that\n"
                ));
                Ok(None)
            }
            _ => Err(Failed::Usage(format!(
                "--admin-token: where is the admin API? {} does not end in /scim/v2/TENANT, so name \
                 its --admin-url",
                endpoint.path()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(token: Option<&str>, url: Option<&str>, is_from_environment: bool) -> AdminOptions {
        let url = url.map(|url| Url::parse(url).unwrap());
        AdminOptions { token: token.map(str::to_owned), url, is_from_environment }
    }

    /// The address that is read; none if it is not.
    fn read(options: &AdminOptions, endpoint: &str) -> Option<String> {
        let access = options.access(&Url::parse(endpoint).unwrap());
        access.ok().flatten().map(|access| access.address)
    }

    #[test]
    fn a_token_of_the_environment_leaves_this_machine_for_a_named_address_alone() {
        let (near, far) = ("http://127.0.0.1:8080/scim/v2/acme", "https://x.example/scim/v2/acme");
        let lying_about = options(Some("t"), None, true);
        let named = options(Some("t"), Some("https://ops.example"), true);
        let given = options(Some("t"), None, false);

        assert!(read(&lying_about, near).is_some());
        assert_eq!(read(&lying_about, far), None);
        assert!(
            read(&named, far).is_some_and(|address| address.starts_with("https://ops.example"))
        );
        assert!(read(&given, far).is_some_and(|address| address.starts_with("https://x.example")));
        assert_eq!(read(&options(None, None, false), near), None);
    }

    #[test]
    fn a_given_token_that_has_nowhere_to_go_is_a_mistake() {
        let endpoint = Url::parse("https://peer.example/api/scim").unwrap();

        let given = options(Some("t"), None, false).access(&endpoint);
        let lying_about = options(Some("t"), None, true).access(&endpoint);

        assert!(matches!(given, Err(Failed::Usage(_))));
        assert!(matches!(lying_about, Ok(None)));
    }
}

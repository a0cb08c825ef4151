//! The test of the connection, as an administrator makes it before anything is provisioned.

use rand_pcg::Pcg64Mcg;

use crate::simulate::address::look_up;
use crate::simulate::client::{Client, Request, SendError};
use crate::simulate::directory;
use crate::simulate::list::List;
use crate::simulate::operation::Operation;

/// The endpoint cannot be provisioned to: Entra would not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// There was no answer.
    #[error("the test of the connection got no answer")]
    Send(#[from] SendError),
    /// The answer was not a success.
    #[error("the test of the connection was answered {status} to {path}, not 200")]
    Refused {
        /// What was asked.
        path: &'static str,
        /// What was answered.
        status: u16,
    },
    /// The answer was a success, but not a list of nobody.
    #[error(
        "the test of the connection was answered {instead} to {path}, not an empty ListResponse"
    )]
    NotEmptyList {
        /// What was asked.
        path: &'static str,
        /// What was answered.
        instead: &'static str,
    },
}

/// Looks for a user and a group that cannot be there, and reads the schemas.
pub(super) async fn test(client: &Client, random: &mut Pcg64Mcg) -> Result<(), ConnectionError> {
    for (path, attribute) in [("/Users", "userName"), ("/Groups", "displayName")] {
        probe(client, path, &look_up(path, attribute, &directory::guid(random))).await?;
    }
    // Entra lives without them.
    let mut discovery = Request::probe(Operation::Discover, "/Schemas");
    discovery.also_fine = Some(404);
    discovery.may_fail = true;
    let _ = client.send(discovery).await;
    Ok(())
}

async fn probe(client: &Client, path: &'static str, query: &str) -> Result<(), ConnectionError> {
    let answer = client.send(Request::probe(Operation::TestConnection, query)).await?;
    if answer.status != 200 {
        return Err(ConnectionError::Refused { path, status: answer.status });
    }
    let list: Option<List> = serde_json::from_slice(&answer.body).ok();
    let instead = match list.filter(List::is_list_response) {
        Some(list) if list.is_empty() => return Ok(()),
        Some(_) => "a list of resources that nobody asked for",
        None => "something else",
    };
    Err(ConnectionError::NotEmptyList { path, instead })
}

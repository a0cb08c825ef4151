//! The kinds of requests that are measured apart.

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their names in reports say it")]
pub enum Operation {
    TestConnection,
    Discover,
    MatchUser,
    CreateUser,
    ReadUser,
    UpdateUser,
    DisableUser,
    EnableUser,
    SetManager,
    DeleteUser,
    MatchGroup,
    CreateGroup,
    ReadGroup,
    UpdateGroup,
    AddMembers,
    RemoveMembers,
    /// Any request that was recorded elsewhere.
    Replay,
    /// Reads of a verification, which are no part of the load.
    Verify,
}

impl Operation {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TestConnection => "test connection",
            Self::Discover => "discover schemas",
            Self::MatchUser => "match user",
            Self::CreateUser => "create user",
            Self::ReadUser => "read user",
            Self::UpdateUser => "update user",
            Self::DisableUser => "disable user",
            Self::EnableUser => "enable user",
            Self::SetManager => "set manager",
            Self::DeleteUser => "delete user",
            Self::MatchGroup => "match group",
            Self::CreateGroup => "create group",
            Self::ReadGroup => "read group",
            Self::UpdateGroup => "update group",
            Self::AddMembers => "add members",
            Self::RemoveMembers => "remove members",
            Self::Replay => "replayed request",
            Self::Verify => "verify",
        }
    }
}

//! Changing a tenant's settings: committed against the revision that was read, then applied to
//! all accounts at once.

use std::sync::Arc;

use access::settings::Settings;
use access::{Author, Bindings};
use serde_json::Value;
use store::tenant::Config;
use store::{Changeset, Marked, Operation, Refusal, Requirement};

use super::Tenant;
use crate::config::ActiveConfig;
use crate::error::ChangeError;
use crate::reconciler::ReconcilerMessage;
use crate::reconciler::pass::{Page, Report};
use crate::reporter::ReporterMessage;
use crate::shared::attempt;

/// Times that a change is made again because settings or groups' names moved.
const ATTEMPTS_MAX: usize = 8;

impl Tenant {
    /// Applies a merge patch to the settings, and the new settings to every account that they
    /// affect; those pending in an open wave are left to it. Answers the new settings.
    pub async fn patch_settings(
        &self,
        patch: &Value,
        author: &Author,
    ) -> Result<Settings, ChangeError> {
        self.patch_settings_at(patch, None, author).await
    }

    /// The same; with a revision of the settings, only where they are still of that revision.
    pub async fn patch_settings_at(
        &self,
        patch: &Value,
        revision: Option<u64>,
        author: &Author,
    ) -> Result<Settings, ChangeError> {
        let shared = self.shared();
        let settings = attempt!(ATTEMPTS_MAX, self.try_patch_settings(patch, revision, author))?;
        shared.reload_config()?;
        shared.housekeeper_goes_round();
        shared.tell_reporter(ReporterMessage::SettingsChanged);
        let author = author.clone();
        let message = |reply_to| ReconcilerMessage::SettingsChanged { author, reply_to };
        match self.ask_reconciler(message).await {
            Ok(_) => {}
            // The settings stand and the pass goes on; only the wait for it has ended.
            Err(error) => {
                tracing::warn!(tenant.id = %shared.id, %error, "settings are still being applied");
            }
        }
        Ok(settings)
    }

    /// What a merge patch to the settings would change: exactly the accounts whose roles
    /// [`Tenant::patch_settings`] would change now. Large results in pages.
    pub async fn preview_settings(
        &self,
        patch: &Value,
        page: Page,
        author: Author,
    ) -> Result<Report, ChangeError> {
        let (config, settings, bindings) = self.patched(patch)?;
        let config = Arc::new(ActiveConfig::from(Config { settings, bindings, ..config }));
        let message = |reply_to| ReconcilerMessage::Preview { config, page, author, reply_to };
        self.ask_reconciler(message).await
    }

    /// The configuration as it is, and the settings and bindings that a patch makes of it.
    fn patched(&self, patch: &Value) -> Result<(Config, Settings, Bindings), ChangeError> {
        let shared = self.shared();
        let snapshot = shared.snapshot()?;
        let config = snapshot.config(shared.key)?.ok_or(ChangeError::NotFound)?;
        let settings = config.settings.merge_patch(patch)?;
        let mut unread = None;
        let bindings = config.bindings.rebind(&settings, |name| {
            snapshot.group_by_name(shared.key, name).unwrap_or_else(|error| {
                unread = Some(error);
                None
            })
        });
        match unread {
            // Not to know the group is not to know that there is none.
            Some(error) => Err(error.into()),
            None => Ok((config, settings, bindings)),
        }
    }

    async fn try_patch_settings(
        &self,
        patch: &Value,
        revision: Option<u64>,
        author: &Author,
    ) -> Result<Result<Settings, Refusal>, ChangeError> {
        let shared = self.shared();
        let (config, settings, bindings) = self.patched(patch)?;
        if revision.is_some_and(|revision| revision != config.settings_revision) {
            return Err(ChangeError::SettingsMoved);
        }
        if settings == config.settings && bindings == config.bindings {
            return Ok(Ok(settings));
        }
        let change = Changeset::new(shared.key, shared.clock.now(), None)
            .by(author.clone())
            .requiring(Requirement::Config(config.revision))
            .requiring(Requirement::GroupNames(config.group_names))
            .with(Operation::PutConfig { settings: Box::new(settings.clone()), bindings })
            // Should the service stop now, the next start finds this and applies them.
            .with(Operation::Mark(Marked::Tenant));
        let outcome = shared.wait_or_moved(shared.store.commit(change)).await?;
        Ok(outcome.map(|_| settings))
    }
}

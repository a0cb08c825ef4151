//! `/tenants/{t}/waves`: newest first.

pub(crate) mod changes;

use access::WaveId;
use access::wave::Wave;
use actors::Tenant;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;

use super::page::{Page, Paging, paged};
use super::problem::Problem;
use super::{ListRequest, Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::openapi::schemas;

/// Waves, newest first; those that go on, with what they count so far.
#[utoipa::path(
    get, path = "/tenants/{tenant}/waves", tag = "waves", params(Paging),
    responses((status = 200, description = "Waves", body = Page<schemas::Wave>))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after: before, .. } =
        ListRequest::<WaveId>::read(&app, &tenant, query.as_deref()).await?;
    Ok(answer::json(StatusCode::OK, JSON, &read(&tenant, before, limit)?))
}

/// A page of waves.
pub(crate) fn read(
    tenant: &Tenant,
    before: Option<WaveId>,
    limit: usize,
) -> Result<Page<Wave>, Problem> {
    // The live ones first: one that is done meanwhile is then found on disk.
    let mut waves: Vec<Wave> = tenant.shared().live_waves();
    waves.retain(|wave| before.is_none_or(|before| wave.id < before));
    let kept = tenant.shared().snapshot()?.waves(tenant.key(), before, limit + 1)?;
    for wave in kept {
        match waves.iter_mut().find(|live| live.id == wave.id) {
            Some(live) if wave.reconciled_at.is_some() => *live = wave,
            Some(_) => {}
            None => waves.push(wave),
        }
    }
    waves.sort_by_key(|wave| std::cmp::Reverse(wave.id));
    Ok(paged(waves, limit, |wave| wave.id.to_string()))
}

/// One wave.
#[utoipa::path(
    get, path = "/tenants/{tenant}/waves/{wave}", tag = "waves",
    responses((status = 200, description = "The wave", body = schemas::Wave))
)]
pub async fn show(State(app): State<App>, Path((tenant, wave)): Path<(String, String)>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &find(&tenant, &wave)?))
}

/// The wave with this id.
pub(crate) fn find(tenant: &Tenant, id: &str) -> Result<Wave, Problem> {
    let no_such_wave = || Problem::not_found("there is no such wave");
    let id: WaveId = id.parse().map_err(|_| no_such_wave())?;
    let live = tenant.shared().live_wave(id);
    let kept = tenant.shared().snapshot()?.wave(tenant.key(), id)?;
    let done = kept.clone().filter(|wave| wave.reconciled_at.is_some());
    done.or(live).or(kept).ok_or_else(no_such_wave)
}

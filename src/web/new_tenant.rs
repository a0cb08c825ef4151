//! Making a tenant, and deleting one.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};

use super::Visitor;
use super::configure;
use super::forms::Fields;
use super::page::{Layout, Shown, render, render_with};
use crate::admin::open_tenant;
use crate::admin::problem::Problem;
use crate::admin::tenants::{self, NewTenant};
use crate::app::App;
use crate::web::filters;

#[derive(Template)]
#[template(path = "new_tenant.html")]
struct NewTenantPage<'a> {
    layout: Layout,
    id: &'a str,
    name: &'a str,
    id_error: Option<String>,
    name_error: Option<String>,
    error: Option<String>,
}

/// The form.
pub(super) async fn show(visitor: Visitor) -> Shown {
    render(&NewTenantPage {
        layout: Layout::new(&visitor, "New tenant"),
        id: "",
        name: "",
        id_error: None,
        name_error: None,
        error: None,
    })
}

/// Makes a tenant, and shows its first token, on the page that says what to do with it.
pub(super) async fn make(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    fields: Fields,
) -> Shown {
    let (id, name) = (fields.text("id"), fields.text("name"));
    let new = NewTenant { id: id.to_owned(), name: fields.filled("name").map(str::to_owned) };
    match tenants::make(&app, &headers, visitor.author(), new).await {
        Ok(made) => {
            let tenant = open_tenant(&app, made.id.as_str()).await?;
            configure::of_new_tenant(&app, &visitor, &headers, &tenant, made.scim.token)
        }
        Err(problem) if problem.is_clients() => {
            let reason = |key: &str| {
                let field = problem.field().filter(|(at, _)| *at == key);
                field.map(|(_, reason)| reason.to_owned())
            };
            let is_taken = problem.status() == StatusCode::CONFLICT;
            let taken = is_taken.then(|| format!("There is a tenant {id} already."));
            let (id_error, name_error) = (reason("id").or(taken), reason("name"));
            let elsewhere = id_error.is_none() && name_error.is_none();
            let error = elsewhere.then(|| problem.sentence());
            let layout = Layout::new(&visitor, "New tenant");
            let page = NewTenantPage { layout, id, name, id_error, name_error, error };
            render_with(problem.status(), &page)
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Deletes a tenant whose id was typed.
pub(super) async fn delete(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let live = open_tenant(&app, &tenant).await?;
    if fields.text("confirm") != tenant {
        let detail = format!("Nothing was deleted. Type {tenant} to confirm.");
        return Err(Problem::unprocessable(detail).into());
    }
    tenants::remove(&app, &live, visitor.author()).await?;
    Ok(visitor.done("/", format!("The tenant {tenant} is deleted.")))
}

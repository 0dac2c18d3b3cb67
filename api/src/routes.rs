//! All routes, on one screen.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};

use crate::app::App;
use crate::{
    abuseipdb, admin, allow, consumers, crowdsec, error, feed, format, health, hook, import, list, metrics,
    requests, user,
};

/// What behind a kind is no value.
pub(crate) const OF_KINDS: [&str; 6] = ["add", "sighting", "delete", "all", "changes", "events"];

pub(crate) fn router(app: Arc<App>) -> Router {
    let noted = from_fn_with_state(app.clone(), consumers::note);
    let bouncers = Router::new()
        .route("/v1/decisions", get(crowdsec::live))
        .route("/v1/decisions/stream", get(crowdsec::stream))
        .route("/v1/usage-metrics", post(crowdsec::usage))
        .route_layer(noted.clone());
    Router::new()
        .route("/", get(health::welcome))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/user/register", post(user::register))
        .route("/user/{name}", get(user::show).patch(user::change).put(user::change).delete(user::delete))
        .route("/user/{name}/tokens", get(user::list_tokens).post(user::make_token))
        .route("/user/{name}/tokens/{token}", delete(user::revoke_token))
        .route("/users", get(user::list))
        .route("/requests/{id}", get(requests::show))
        .route("/admin/init", post(admin::init))
        .route("/admin/formation", get(admin::formation))
        .route("/admin/status", get(admin::status))
        .route("/admin/snapshot", post(admin::snapshot))
        .route("/admin/backup", get(admin::backup))
        .route("/admin/leader", post(admin::transfer_leader))
        .route("/admin/members", get(admin::members).post(admin::add_member))
        .route("/admin/members/{id}", delete(admin::remove_member))
        .route("/admin/members/{id}/promote", post(admin::promote))
        .route("/admin/audit", get(admin::audit))
        .route("/admin/undo", post(admin::undo))
        .route("/admin/settings", get(admin::show_settings).put(admin::change_settings))
        .route("/admin/feeds", get(feed::all))
        .route("/admin/feeds/{name}", get(feed::show_profile).put(feed::put).delete(feed::delete))
        .route("/admin/feeds/{name}/publish", post(feed::publish))
        .route("/feed/{file}", get(feed::show).layer(noted.clone()))
        .route("/feed/{token}/{file}", get(feed::by_token).layer(noted.clone()))
        .route("/admin/hooks", get(hook::list))
        .route("/admin/hooks/{name}", get(hook::show).put(hook::put).delete(hook::delete))
        .route("/hook/{name}", post(hook::receive))
        .route("/admin/imports", get(import::list))
        .route("/admin/imports/{name}", get(import::show).put(import::put).delete(import::delete))
        .route("/admin/imports/{name}/run", post(import::ask))
        .route("/admin/imports/{name}/go-on", post(import::go_on))
        .route("/allow/add", post(allow::add))
        .route("/allow/delete", post(allow::delete))
        .route("/allow/all", get(allow::all))
        .route("/allow/{*value}", get(allow::show))
        .route("/formats", get(format::show))
        .route("/api/v2/report", post(abuseipdb::report))
        .route("/api/v2/check", get(abuseipdb::check))
        .route("/api/v2/blacklist", get(abuseipdb::blacklist))
        .route("/{kind}/add", post(list::add))
        .route("/{kind}/sighting", post(list::sight))
        .route("/{kind}/delete", post(list::delete))
        .route("/{kind}/all", get(list::all).layer(noted.clone()))
        .route("/{kind}/changes", get(list::changes).layer(noted.clone()))
        .route("/{kind}/events", get(list::events).layer(noted))
        .route("/{kind}/{*value}", get(list::ask).patch(list::patch))
        .route("/admin/consumers", get(admin::consumers))
        .merge(bouncers.clone())
        .nest("/crowdsec", bouncers.clone())
        .nest("/crowdsec/ranges", bouncers.clone())
        .nest("/crowdsec/max/{max}", bouncers.clone())
        .nest("/crowdsec/ranges/max/{max}", bouncers)
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(from_fn_with_state(app.clone(), error::as_json))
        .layer(DefaultBodyLimit::max(app.settings.body_bytes_max))
        .route_layer(from_fn_with_state(app.clone(), metrics::count))
        .with_state(app)
}

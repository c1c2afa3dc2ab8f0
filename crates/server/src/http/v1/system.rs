//! What everybody may ask of a server: is it alive, may it be sent requests, which program is it.

use crate::app::App;
use crate::http::answer::Found;
use crate::http::grant::Anyone;
use crate::http::refusal::Answered;
use clockwright_api::system::{Health, Version};
use std::sync::Arc;

pub(in crate::http) async fn alive(_: Arc<App>, _: Anyone) -> Answered<Found<Health>> {
    Ok(Found::new(Health { status: "alive".to_owned() }))
}

pub(in crate::http) async fn ready(app: Arc<App>, _: Anyone) -> Answered<Found<Health>> {
    // Lists go on without the database, and a balancer has nothing better to turn to.
    let status = if app.store.head().await.is_ok() { "ready" } else { "degraded" };
    Ok(Found::new(Health { status: status.to_owned() }))
}

pub(in crate::http) async fn version(_: Arc<App>, _: Anyone) -> Answered<Found<Version>> {
    Ok(Found::new(Version { name: "clockwright".to_owned() }))
}

//! `clockwright doctor`: what is not as it should be, looked at from the machine of a server, whether that runs or not.

use super::Global;
use super::config::{ConfigArgs, load};
use super::server::{addresses, away};
use crate::output::{Failure, now, show, table, talk};
use clap::Args;
use clockwright::Registry;
use clockwright_api::system::{Finding, Gravity};
use clockwright_events::EventStore;
use clockwright_registry::Connect;
use clockwright_server::config::{Config, Secret};
use clockwright_server::histories::{Histories, History, OpenHistory};
use clockwright_server::observe::doctor::{Patient, examine};
use clockwright_server::registries::{Registries, Source};
use clockwright_server::store::Store;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(crate) async fn run(global: &Global, args: DoctorArgs) -> Result<(), Failure> {
    clockwright_runtime::limits::keep_memory_private();
    let config = load(global, &args.config, Vec::new())?;
    let store = Store::open_read_only(config.database.reveal()).await;
    let patient = Patient {
        store: store.as_ref().map_err(Clone::clone),
        registries: &registries(&config)?,
        histories: &histories(&config),
        config: &config,
        clock: Arc::new(now),
    };
    let found = examine(&patient).await;
    patient.registries.close().await;
    show(global.output, &found, |found| shown(found))?;
    let errors = found.iter().filter(|finding| finding.severity == Gravity::Error).count();
    let wrong = found.iter().filter(|finding| finding.severity != Gravity::Fact).count();
    match (errors, wrong) {
        (0, 0) => talk("all that was looked at is as it should be"),
        (0, _) => {}
        (1, _) => return Err(Failure::Failed("1 thing does not work, or is not safe".into())),
        (errors, _) => return Err(Failure::Failed(format!("{errors} things do not work, or are not safe"))),
    }
    Ok(())
}

fn shown(found: &[Finding]) -> String {
    let word = |severity| match severity {
        Gravity::Error => "error",
        Gravity::Warning => "warning",
        Gravity::Note => "note",
        Gravity::Fact => "fact",
    };
    if found.is_empty() {
        return String::new();
    }
    table(
        ["HOW BAD", "CODE", "WHERE", "WHAT", "WHAT TO DO"],
        found.iter().map(|finding| {
            [
                word(finding.severity).to_owned(),
                finding.code.clone(),
                finding.place.clone(),
                finding.what.clone(),
                finding.fix.clone(),
            ]
        }),
    )
}

/// The registries, each opened as somebody who only looks: one in a folder is not served from here.
fn registries(config: &Config) -> Result<Registries, Failure> {
    let source = |address: clockwright::registry::Address| {
        let credential = address.has_credential();
        let connect: Connect = Arc::new(move || {
            let address = address.clone();
            Box::pin(async move { Registry::open(&address, None).await.map_err(away)?.session().await })
        });
        Source { connect, credential }
    };
    Ok(Registries::new(
        addresses(config)?.into_iter().map(|(name, address)| (name, source(address))).collect(),
    ))
}

/// The event stores, for reading only.
fn histories(config: &Config) -> Histories {
    let open = |address: Secret| -> OpenHistory {
        Arc::new(move || {
            let address = address.clone();
            Box::pin(async move { Ok(EventStore::connect_read_only(address.reveal()).await? as History) })
        })
    };
    let stores = config.all_stores();
    Histories::new(stores.map(|(name, address)| (name.to_owned(), open(address.clone()))).collect())
}

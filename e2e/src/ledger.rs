//! Reads what the nodes recorded: the outcomes in their event stores, also in those of nodes that were killed.

use anyhow::Context as _;
use clockwright_events::{Page, Query as _, RunFilter, RunRow, SqliteStore, StoreError};
use clockwright_model::{Fire, InstanceId, JobName, RunId, Settlement, Source};
use std::path::Path;

/// All settlements in the stores of these data folders. A folder without a store holds none: its node died before it
/// made one.
///
/// # Errors
/// When a store cannot be read, or a row says something that the model has no word for.
pub fn settlements(folders: &[impl AsRef<Path>]) -> anyhow::Result<Vec<Settlement>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut all = Vec::new();
    for folder in folders {
        let path = folder.as_ref().join("events.db");
        let rows = runtime.block_on(rows(&path)).with_context(|| path.display().to_string())?;
        for row in rows {
            all.push(settlement(&row).with_context(|| format!("{}: {row:?}", path.display()))?);
        }
    }
    Ok(all)
}

async fn rows(path: &Path) -> anyhow::Result<Vec<RunRow>> {
    let store = match SqliteStore::open_read_only(path).await {
        Ok(store) => store,
        Err(StoreError::Missing(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut rows = Vec::new();
    let mut page = Page::first(1_000);
    loop {
        let answer = store.runs(&RunFilter::default(), &page).await?;
        rows.extend(answer.rows);
        match answer.next {
            Some(next) => page = Page::after(1_000, next),
            None => return Ok(rows),
        }
    }
}

fn settlement(row: &RunRow) -> anyhow::Result<Settlement> {
    let outcome = row.whole_outcome().context("a failure has a kind, and what was coalesced another fire")?;
    let run_id =
        row.run_id.as_deref().map(|id| RunId::parse(id).context("a run id is a UUID")).transpose()?;
    Ok(Settlement {
        namespace: row.namespace.as_str().into(),
        job: JobName::new(&row.job)?,
        item: row.item,
        fire: row.fire.parse::<Fire>()?,
        range: row.range_from.map(|from| (from, row.range_count)),
        outcome,
        attempt: row.attempt,
        run_id,
        token: row.token,
        source: Source::parse(&row.source).context("a source has one of the known words")?,
        instance: InstanceId::from_wire(&row.instance),
        claimed: row.claimed,
        start: row.start,
        at: row.decided,
        log: row.log.as_deref().map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_events::Sink as _;
    use clockwright_model::{Event, FailureKind, Outcome};

    #[test]
    fn settlements_read_back_from_the_stores_as_they_were_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let base = Settlement {
            namespace: "jobs".into(),
            job: JobName::new("a").unwrap(),
            item: 1,
            fire: Fire::Scheduled(9_000),
            range: None,
            outcome: Outcome::Succeeded,
            attempt: 2,
            run_id: Some(RunId::new(9_001, 7)),
            token: 33,
            source: Source::Failover,
            instance: InstanceId::of_process("10.0.0.1", 5, 0),
            claimed: Some(9_001),
            start: Some(9_002),
            at: 9_100,
            log: Some("2023-11-15/12.log:0+9".into()),
        };
        let nothing = Settlement { attempt: 0, run_id: None, token: 0, start: None, ..base.clone() };
        let coalesced = Settlement {
            fire: Fire::Scheduled(8_000),
            range: Some((5_000, 4)),
            outcome: Outcome::Coalesced { into: Fire::Scheduled(9_000) },
            ..nothing.clone()
        };
        let lost = Outcome::Failed { kind: FailureKind::OwnerLost, reason: "it died".into() };
        let failed = Settlement { fire: Fire::Scheduled(4_000), outcome: lost, ..base.clone() };
        let trigger = Fire::Trigger { at: 3_000, id: "x".into() };
        let skipped =
            Settlement { fire: trigger, outcome: Outcome::Skipped { reason: "busy".into() }, ..nothing };
        let expected = vec![base, coalesced, failed, skipped];
        let events: Vec<_> = expected.iter().cloned().map(Event::Settlement).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            SqliteStore::open(dir.path().join("events.db")).await.unwrap().store(&events).await.unwrap();
        });
        let missing = dir.path().join("none");
        assert_eq!(settlements(&[dir.path(), &missing]).unwrap(), expected);
    }
}

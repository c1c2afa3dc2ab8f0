//! Answers that take more than one question.

use super::*;
use clockwright_events::answers;

pub(crate) async fn a_span_of_a_ledger_ends_early_rather_than_between_the_outcomes_of_one_instant<
    S: Store,
>(
    store: Arc<S>,
) {
    let fires = [(0, 0), (1, 0), (0, 10), (1, 10), (0, 20), (0, 100)];
    put(&*store, fires.map(|(item, at)| settled("j", item, T + at))).await;
    let record = answers::JobRecord { store: &*store, namespace: None, job: "j" };
    let span = async |limit| {
        let span = record.span(None, T, T + 1_000, limit).await.unwrap();
        (span.rows.iter().map(|row| row.fire_time - T).collect::<Vec<_>>(), span.to - T)
    };
    assert_eq!(span(1).await, (vec![0, 0], 10), "more than was asked for, since they belong together");
    assert_eq!(span(3).await, (vec![0, 0], 10));
    assert_eq!(span(4).await, (vec![0, 0, 10, 10], 20));
    assert_eq!(span(100).await, (vec![0, 0, 10, 10, 20, 100], 1_000));
    assert_eq!(record.begins(Some(1)).await.unwrap(), Some(T));
    assert_eq!(record.begins(Some(2)).await.unwrap(), None);
}

pub(crate) async fn everything_about_a_run_is_one_answer<S: Store>(store: Arc<S>) {
    let outcome = Settlement { run_id: Some(id(1)), ..settled("j", 0, T) };
    put(&*store, [Event::Execution(succeeded(1)), Event::Settlement(outcome)]).await;
    put(&*store, [traced(1, &succeeded(1).task_id, TaskState::Running)]).await;
    let details = answers::run_details(&*store, id(1)).await.unwrap().unwrap();
    assert_eq!(details.outcome.unwrap().fire_time, T);
    assert_eq!((details.execution.unwrap().id, details.states.len()), (id(1).to_string(), 1));
    assert_eq!(answers::run_details(&*store, id(2)).await.unwrap(), None);
}

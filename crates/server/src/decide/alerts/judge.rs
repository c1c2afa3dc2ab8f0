//! Which conditions are true, from plain facts.

use super::java::Java;
use super::{Finding, Rule, Subject, fits};
use clockwright_api::At;
use clockwright_api::alerts::Condition;
use clockwright_model::{Item, Millis};
use serde_json::{Value, json};

/// A job, as it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The project.
    pub project: i64,
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: &'a str,
    /// It is to run.
    pub online: bool,
    /// It was changed by hand although files define it.
    pub diverged: bool,
    /// How many items it has.
    pub items: u32,
    /// A success that took less is told, milliseconds; 0 for none.
    pub run_min: Millis,
    /// A run that takes longer is told, milliseconds; 0 for none.
    pub run_max: Millis,
    /// How its items stand by their last outcomes.
    pub states: Option<&'a States>,
    /// What the registry has of it; `None` for nothing.
    pub live: Option<&'a Live>,
}

/// How an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Its number.
    pub item: Item,
    /// The word of the outcome.
    pub outcome: &'static str,
    /// The newest settled fire.
    pub fire: Millis,
    /// How often it failed in a row.
    pub streak: u32,
    /// When the outcome was decided.
    pub decided: Millis,
    /// How long the success took, milliseconds.
    pub took: Option<Millis>,
    /// When it last succeeded.
    pub good: Option<Millis>,
}

/// How the items of a job stand, in the order of their numbers. Most jobs have few items: a map would take many times as much.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct States(Vec<State>);

impl States {
    fn place(&self, item: Item) -> Result<usize, usize> {
        self.0.binary_search_by_key(&item, |state| state.item)
    }

    /// How an item stands.
    #[must_use]
    pub fn of(&self, item: Item) -> Option<&State> {
        self.0.get(self.place(item).ok()?)
    }

    /// All that is known.
    pub fn iter(&self) -> impl Iterator<Item = &State> {
        self.0.iter()
    }

    /// Takes in how an item stands.
    pub fn put(&mut self, state: State) {
        match self.place(state.item) {
            Ok(at) => self.0[at] = state,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, state);
            }
        }
    }
}

impl FromIterator<State> for States {
    fn from_iter<T: IntoIterator<Item = State>>(states: T) -> Self {
        let mut all = Self::default();
        states.into_iter().for_each(|state| all.put(state));
        all
    }
}

/// What the registry has of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// How many instances there are.
    pub members: usize,
    /// Some of them are of Elastic-Job, which settles no fires; what shows that they ran.
    pub java: Option<Java>,
    /// Items that are not as they usually are.
    pub items: Vec<(Item, Doing)>,
}

/// What an item does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It runs since then.
    Runs(Millis),
    /// It is marked as running, and whoever ran it is gone.
    Stranded,
    /// An operator left it out.
    Disabled,
}

impl Live {
    fn runs(&self) -> bool {
        self.items.iter().any(|(_, doing)| matches!(doing, Doing::Runs(_)))
    }

    fn is_disabled(&self, item: Item) -> bool {
        self.items.contains(&(item, Doing::Disabled))
    }
}

/// What a rule finds of a job. `due` is the instant that must have its outcomes by now, if there is one.
#[must_use]
pub fn job(rule: &Rule, job: &Job<'_>, due: Option<Millis>, now: Millis) -> Vec<Finding> {
    if !fits(&rule.jobs, job.name) {
        return Vec::new();
    }
    let whole = |mark: String, params: Value| vec![finding(rule, job, None, mark, params)];
    match rule.condition {
        Condition::Failing | Condition::Missed | Condition::TooShort => states(rule, job),
        Condition::TooLong | Condition::Stuck => doings(rule, job, now),
        Condition::NoInstance if job.online && job.live.is_none_or(|live| live.members == 0) => {
            whole(String::new(), json!({}))
        }
        Condition::Overdue => overdue(rule, job, due),
        Condition::Diverged if job.diverged => whole(String::new(), json!({})),
        _ => Vec::new(),
    }
}

fn states(rule: &Rule, job: &Job<'_>) -> Vec<Finding> {
    let is_found = |state: &State| match rule.condition {
        Condition::Failing => i64::from(state.streak) >= rule.threshold.max(1),
        Condition::Missed => state.outcome == "missed",
        _ => {
            job.run_min > 0
                && state.outcome == "succeeded"
                && state.took.is_some_and(|took| took < job.run_min)
        }
    };
    let states = job.states.into_iter().flat_map(States::iter);
    let found = states.filter(|state| state.item < job.items && is_found(state)).map(|state| {
        let params = json!({
            "streak": state.streak, "fire": At(state.fire), "took": state.took, "good": state.good.map(At),
        });
        finding(rule, job, Some(state.item), state.fire.to_string(), params)
    });
    found.collect()
}

fn doings(rule: &Rule, job: &Job<'_>, now: Millis) -> Vec<Finding> {
    let items = job.live.map(|live| live.items.as_slice()).unwrap_or_default();
    let found = items.iter().filter_map(|(item, doing)| match (rule.condition, doing) {
        (Condition::TooLong, Doing::Runs(since)) if job.run_max > 0 && now - since > job.run_max => {
            Some(finding(rule, job, Some(*item), since.to_string(), json!({ "since": At(*since) })))
        }
        (Condition::Stuck, Doing::Stranded) => {
            Some(finding(rule, job, Some(*item), String::new(), json!({})))
        }
        _ => None,
    });
    found.collect()
}

fn overdue(rule: &Rule, job: &Job<'_>, due: Option<Millis>) -> Vec<Finding> {
    let Some(due) = due else { return Vec::new() };
    let Some(items) = lacking(job, due).filter(|items| *items > 0) else { return Vec::new() };
    // The grace has passed already.
    let found = finding(rule, job, None, due.to_string(), json!({ "fire": At(due), "items": items }));
    vec![Finding { wait: 0, ..found }]
}

/// How many items were due then, and have neither an outcome nor anything else that explains it. Elastic-Job's instances settle nothing: of a job that
/// they serve something has to show whether it ran, and nobody can say so (`None`) where nothing does.
fn lacking(job: &Job<'_>, due: Millis) -> Option<usize> {
    let Some(live) = job.live.filter(|live| !live.runs()) else { return Some(0) };
    let is_settled =
        |item: &Item| job.states.and_then(|states| states.of(*item)).is_some_and(|state| state.fire >= due);
    let has_run = |item: &Item| live.java.as_ref().is_some_and(|java| java.has_run(*item, due));
    let open =
        (0..job.items).filter(|item| !is_settled(item) && !has_run(item) && !live.is_disabled(*item)).count();
    let is_shown = live.java.as_ref().is_none_or(|java| java.shows(due));
    (open == 0 || is_shown).then_some(open)
}

/// Is enough known to say that something is over which is not found? Whoever leads anew has not seen what was seen before it.
#[must_use]
pub fn is_known(condition: Condition, job: &Job<'_>, item: Option<Item>, due: Option<Millis>) -> bool {
    match condition {
        // How Elastic-Job's instances ended an item is read only while there are any.
        Condition::Failing | Condition::Missed | Condition::TooShort => {
            let is_read = |item: Item| job.states.is_some_and(|states| states.of(item).is_some());
            item.filter(|item| *item < job.items).is_none_or(is_read)
        }
        Condition::Overdue => due.is_none_or(|due| lacking(job, due).is_some()),
        _ => true,
    }
}

fn finding(rule: &Rule, job: &Job<'_>, item: Option<Item>, mark: String, params: Value) -> Finding {
    let mut params = params;
    if let Value::Object(params) = &mut params {
        params.insert("job".to_owned(), json!(job.name));
        params.extend(item.map(|item| ("item".to_owned(), json!(item))));
    }
    Finding {
        subject: Subject {
            rule: rule.id.clone(),
            project: job.project,
            job: job.id,
            item,
            thing: String::new(),
        },
        condition: rule.condition,
        severity: rule.severity,
        wait: rule.wait,
        mark,
        params,
    }
}

/// What a rule finds of something that is no job: a registry, a store, a key, a project.
#[must_use]
pub fn thing(rule: &Rule, project: i64, thing: &str, mark: String, params: Value) -> Finding {
    let mut params = params;
    if let (Value::Object(params), false) = (&mut params, thing.is_empty()) {
        params.insert("thing".to_owned(), json!(thing));
    }
    let subject = Subject { rule: rule.id.clone(), project, job: 0, item: None, thing: thing.to_owned() };
    let (condition, severity, wait) = (rule.condition, rule.severity, rule.wait);
    Finding { subject, condition, severity, wait, mark, params }
}

/// How long something that happened is told.
pub const LASTS: Millis = 3_600_000;

/// Something that happened to a job, by a record of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    /// What.
    pub condition: Condition,
    /// When.
    pub at: Millis,
    /// The record's number.
    pub seq: i64,
    /// What the sentence is made of.
    pub params: Value,
}

impl Happened {
    /// What a record tells, if it is one of those that are told.
    #[must_use]
    pub fn of(action: &str, seq: i64, at: Millis, by: &str, changes: &Value, reason: &str) -> Option<Self> {
        let (condition, params) = match action {
            "sync.repair" | "sync.drift" => {
                (Condition::Drift, json!({ "kind": changes["kind"], "drift": changes["drift"] }))
            }
            "sync.contended" => (Condition::Contended, json!({ "why": reason })),
            "job.update" | "job.rollback" | "job.adopt" | "sync.adopt" if changes_code(changes) => {
                (Condition::CodeChanged, json!({ "by": by }))
            }
            _ => return None,
        };
        Some(Self { condition, at, seq, params })
    }

    /// What a rule finds of it.
    #[must_use]
    pub fn judge(&self, rule: &Rule, job: &Job<'_>, now: Millis) -> Option<Finding> {
        let counts = rule.condition == self.condition && now - self.at < LASTS && fits(&rule.jobs, job.name);
        counts.then(|| finding(rule, job, None, self.seq.to_string(), self.params.clone()))
    }
}

/// Do these changes of settings decide what runs?
fn changes_code(changes: &Value) -> bool {
    let runs = |props: &Value| -> Vec<(String, Value)> {
        let props = props.as_object().into_iter().flatten();
        let runs = |key: &str| key.starts_with("script.") || key.starts_with("http.");
        props.filter(|(key, _)| runs(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    changes.as_object().into_iter().flatten().any(|(key, pair)| match key.as_str() {
        "elasticJobType" | "elasticJobClass" => true,
        "props" => runs(&pair[0]) != runs(&pair[1]),
        _ => false,
    })
}

/// Does a record say that something which stood still by a wish goes on? What was due before is no one's fault.
#[must_use]
pub fn lets_go(action: &str) -> bool {
    ["resume", "enable", "online", "item-enable"].iter().any(|verb| action.split('.').nth(1) == Some(verb))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clockwright_api::alerts::Severity;

    const NOW: Millis = 1_000_000;

    fn rule(condition: Condition) -> Rule {
        Rule {
            id: condition.word().into(),
            project: 0,
            condition,
            jobs: String::new(),
            threshold: condition.usual().threshold.unwrap_or_default(),
            wait: 5,
            severity: Severity::Warning,
            enabled: true,
        }
    }

    fn state(outcome: &'static str, fire: Millis, streak: u32) -> State {
        State {
            item: 0,
            outcome,
            fire,
            streak,
            decided: fire + 1,
            took: (outcome == "succeeded").then_some(50),
            good: None,
        }
    }

    const REPORT: Job<'static> = Job {
        project: 1,
        id: 7,
        name: "report",
        online: true,
        diverged: true,
        items: 2,
        run_min: 100,
        run_max: 10_000,
        states: None,
        live: None,
    };

    fn found(
        condition: Condition,
        states: &[State],
        live: Option<&Live>,
        due: Option<Millis>,
    ) -> Vec<Option<Item>> {
        let states: States = (0..).zip(states).map(|(item, state)| State { item, ..*state }).collect();
        let facts = Job { states: Some(&states), live, ..REPORT };
        job(&rule(condition), &facts, due, NOW).into_iter().map(|finding| finding.subject.item).collect()
    }

    fn live(members: usize, items: &[(Item, Doing)]) -> Live {
        Live { members, java: None, items: items.to_vec() }
    }

    #[test]
    fn items_are_found_by_their_numbers_however_they_came() {
        let mut states: States =
            [7, 2, 5].into_iter().map(|item| State { item, ..state("failed", 1, 1) }).collect();
        states.put(State { item: 5, ..state("missed", 2, 0) });
        assert_eq!(states.iter().map(|state| state.item).collect::<Vec<_>>(), [2, 5, 7]);
        assert_eq!((states.of(5).map(|state| state.outcome), states.of(3)), (Some("missed"), None));
    }

    #[test]
    fn an_item_fails_from_the_third_time_in_a_row_on() {
        let states = [state("failed", 1, 2), state("failed", 1, 3), state("failed", 1, 9)];
        assert_eq!(
            found(Condition::Failing, &states, None, None),
            [Some(1)],
            "item 2 is none of the job's any more"
        );
    }

    #[test]
    fn an_item_is_missed_until_a_later_fire_ends_otherwise() {
        let states = [state("missed", 1, 0), state("succeeded", 2, 0)];
        assert_eq!(found(Condition::Missed, &states, None, None), [Some(0)]);
    }

    #[test]
    fn a_success_that_took_less_than_it_should_is_told_and_a_failure_is_not() {
        let states = [state("succeeded", 1, 0), state("failed", 1, 1)];
        assert_eq!(found(Condition::TooShort, &states, None, None), [Some(0)]);
    }

    #[test]
    fn a_run_is_too_long_beyond_its_limit_and_stuck_without_its_owner() {
        let live = live(1, &[(0, Doing::Runs(NOW - 10_001)), (1, Doing::Runs(NOW - 10_000))]);
        assert_eq!(found(Condition::TooLong, &[], Some(&live), None), [Some(0)]);
        let live = Live { items: vec![(1, Doing::Stranded)], ..live };
        assert_eq!(found(Condition::Stuck, &[], Some(&live), None), [Some(1)]);
    }

    #[test]
    fn a_job_has_no_instance_when_the_registry_has_none_or_has_not_the_job() {
        assert_eq!(found(Condition::NoInstance, &[], None, None), [None]);
        assert_eq!(found(Condition::NoInstance, &[], Some(&live(0, &[])), None), [None]);
        assert!(found(Condition::NoInstance, &[], Some(&live(1, &[])), None).is_empty());
    }

    #[test]
    fn a_job_is_overdue_when_an_item_has_no_outcome_and_nothing_explains_it() {
        let late = [state("succeeded", 100, 0), state("succeeded", 99, 0)];
        let there = live(1, &[]);
        assert_eq!(found(Condition::Overdue, &late, Some(&there), Some(100)), [None]);
        assert!(found(Condition::Overdue, &late, Some(&there), Some(99)).is_empty(), "it is covered");
        assert!(found(Condition::Overdue, &late, Some(&there), None).is_empty(), "nothing was due");
        let runs = live(1, &[(1, Doing::Runs(5))]);
        assert!(found(Condition::Overdue, &late, Some(&runs), Some(100)).is_empty(), "it runs");
        let off = live(1, &[(1, Doing::Disabled)]);
        assert!(
            found(Condition::Overdue, &late, Some(&off), Some(100)).is_empty(),
            "an operator left it out"
        );
    }

    #[test]
    fn a_job_of_elastic_job_is_overdue_when_something_would_show_that_it_ran() {
        let late = [state("succeeded", 100, 0), state("succeeded", 99, 0)];
        let found = |java: Java| {
            let live = Live { java: Some(java), ..live(1, &[]) };
            !found(Condition::Overdue, &late, Some(&live), Some(100)).is_empty()
        };
        assert!(!found(Java::default()), "nobody can say so");
        assert!(found(Java { traced: true, ..Java::default() }));
        let marked = Java { marked: Some(100), ..Java::default() };
        assert!(found(marked.clone()));
        assert!(!found(Java { marked: Some(101), ..Java::default() }), "its mark may have been missed");
        assert!(!found(Java { ran: [(1, 100)].into(), ..marked }), "it began then");
    }

    #[test]
    fn it_is_not_known_to_be_over_where_nothing_would_show_it() {
        let states: States = [state("succeeded", 100, 0)].into_iter().collect();
        let java = |java: Java| Live { java: Some(java), ..live(1, &[]) };
        let (blind, ran) = (java(Java::default()), java(Java { ran: [(1, 100)].into(), ..Java::default() }));
        let (traced, ours) = (java(Java { traced: true, ..Java::default() }), live(1, &[]));
        let known = |condition, item, live: &Live, due| {
            let facts = Job { states: Some(&states), live: Some(live), ..REPORT };
            is_known(condition, &facts, item, due)
        };
        for condition in [Condition::Failing, Condition::Missed, Condition::TooShort] {
            assert!(known(condition, Some(0), &ours, None));
            assert!(!known(condition, Some(1), &ours, None), "nothing was read of it");
            assert!(known(condition, Some(2), &ours, None), "it is none of the job's any more");
        }
        let overdue = |live: &Live, due| known(Condition::Overdue, None, live, due);
        assert!(!overdue(&blind, Some(100)), "it may not have run");
        assert!(overdue(&blind, None), "nothing was due, or it is explained");
        assert!(overdue(&ran, Some(100)), "each item has run");
        assert!(overdue(&traced, Some(100)) && overdue(&ours, Some(100)));
        assert!(known(Condition::Stuck, Some(1), &blind, None));
    }

    #[test]
    fn a_rule_holds_for_the_jobs_of_its_pattern() {
        let of = |jobs: &str| Rule { jobs: jobs.into(), ..rule(Condition::Diverged) };
        assert_eq!(job(&of("re*"), &REPORT, None, NOW).len(), 1);
        assert!(job(&of("bill*"), &REPORT, None, NOW).is_empty());
    }

    #[test]
    fn a_record_tells_what_it_does_and_for_an_hour() {
        let changes = |pair: Value| json!({ "props": pair });
        let of = |action: &str, changes: &Value| {
            Happened::of(action, 9, 0, "lina", changes, "because").map(|happened| happened.condition)
        };
        assert_eq!(of("sync.repair", &json!({ "kind": "changed" })), Some(Condition::Drift));
        assert_eq!(of("sync.contended", &json!({})), Some(Condition::Contended));
        let code = changes(json!([{ "script.command.line": "a" }, { "script.command.line": "b" }]));
        assert_eq!(of("job.update", &code), Some(Condition::CodeChanged));
        let other =
            changes(json!([{ "x": 1, "script.command.line": "a" }, { "x": 2, "script.command.line": "a" }]));
        assert_eq!(of("job.update", &other), None);
        assert_eq!(of("job.pause", &code), None);
        let happened = Happened::of("job.update", 9, 0, "lina", &code, "").expect("it is told");
        let judged = |now| happened.judge(&rule(Condition::CodeChanged), &REPORT, now);
        assert_eq!(judged(LASTS - 1).map(|finding| finding.mark), Some("9".to_owned()));
        assert_eq!(judged(LASTS), None);
    }
}

//! What there is to be judged: from memory as far as jobs are concerned, a few questions to the database and the stores besides.

use crate::app::App;
use crate::decide::alerts::due::Deadlines;
use crate::decide::alerts::java::Java;
use crate::decide::alerts::judge::{self, Doing, Happened, Job, LASTS, Live, lets_go};
use crate::decide::alerts::{Finding, Look, Open, Rule, SETTLES, Source, Subject, fits, rules_of};
use crate::decide::chain::Link;
use crate::mirror::row::Row;
use crate::mirror::{Picture, State};
use crate::store::{JobRow, JobState, JournalFilter, ProjectRow, StoreError};
use clockwright_api::At;
use clockwright_api::alerts::{Condition, Scope};
use clockwright_fleet::view::JobStatus;
use clockwright_model::{Item, Millis};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How many records are read at once.
const RECORDS: u32 = 1_000;
/// How often what changes slowly is asked for, milliseconds.
const SLOWLY: Millis = 60_000;
const DAY: Millis = 24 * 3_600_000;
/// How long a message that was not delivered is told.
pub(crate) const DEAD: Millis = 7 * DAY;

/// What is remembered between two looks, besides the findings themselves.
pub(super) struct Looker {
    deadlines: Deadlines,
    /// When this began: what was due long before is nobody's news, …
    begun: Millis,
    /// … unless it is told already: the instant that each job was told to be overdue for when this began.
    told: HashMap<i64, Millis>,
    /// The last record that was read.
    seq: i64,
    /// What happened last to a job, by condition.
    happened: HashMap<(i64, Condition), Happened>,
    /// Ways in past everybody: which, the record's number, when, and as whom.
    rescues: Vec<(Condition, i64, Millis, String)>,
    /// Up to when nothing that a project's jobs were due for is told.
    let_go: HashMap<i64, Millis>,
    /// When a source was away last.
    away: HashMap<(i64, Source), Millis>,
    slow: Slow,
}

/// What is asked for once a minute. Whoever does not answer is believed to say what they said last.
#[derive(Default)]
struct Slow {
    /// When it was asked for last.
    at: Millis,
    /// What the database has answered.
    answered: BTreeSet<Condition>,
    skew: Option<Millis>,
    /// By store that has answered: how many events were lost, and which was the last loss.
    losses: BTreeMap<String, Option<(u64, String)>>,
    /// The key that seals, and since when.
    key: Option<(String, Millis)>,
}

impl Looker {
    /// Reads what happened in the last hour; these are open.
    pub(super) async fn begin(app: &App, open: &[Open]) -> Result<Self, StoreError> {
        let begun = app.now();
        let (seq, _) = app.store.head().await?;
        let overdue = open.iter().filter(|open| open.condition == Condition::Overdue);
        let mut looker = Self {
            deadlines: Deadlines::default(),
            begun,
            told: overdue.filter_map(|open| Some((open.subject.job, open.mark.parse().ok()?))).collect(),
            seq,
            happened: HashMap::new(),
            rescues: Vec::new(),
            let_go: HashMap::new(),
            away: HashMap::new(),
            slow: Slow::default(),
        };
        let mut before = Some(seq + 1);
        while let Some(place) = before {
            let filter = JournalFilter { before: Some(place), limit: RECORDS, ..JournalFilter::default() };
            let links = app.store.journal(&filter).await?;
            links.iter().for_each(|link| looker.record(link));
            let last = links.last().filter(|last| last.at > begun - LASTS && links.len() == RECORDS as usize);
            before = last.map(|last| last.seq);
        }
        Ok(looker)
    }

    /// Takes in what the journal tells.
    fn record(&mut self, link: &Link) {
        let fields = &link.fields;
        if lets_go(&fields.action) {
            match fields.target.parse() {
                Ok(job) if fields.target_kind == "job" => self.deadlines.explain(job, link.at),
                _ => {
                    let there = self.let_go.entry(fields.project).or_insert(link.at);
                    *there = link.at.max(*there);
                }
            }
        }
        let rescue = match fields.action.as_str() {
            "rescue.made" => Some(Condition::RescueMade),
            "rescue.used" => Some(Condition::RescueUsed),
            _ => None,
        };
        let told = |condition| (condition, link.seq, link.at, fields.target_name.clone());
        self.rescues.extend(rescue.map(told));
        if fields.target_kind != "job" {
            return;
        }
        let Ok(job) = fields.target.parse::<i64>() else { return };
        let changes = serde_json::from_str(&fields.changes).unwrap_or_default();
        let told =
            Happened::of(&fields.action, link.seq, link.at, &fields.actor_name, &changes, &fields.reason);
        if let Some(told) = told {
            let there = self.happened.entry((job, told.condition)).or_insert_with(|| told.clone());
            if told.seq > there.seq {
                *there = told;
            }
        }
    }

    async fn follow(&mut self, app: &App) -> Result<(), StoreError> {
        loop {
            let filter = JournalFilter { after: Some(self.seq), limit: RECORDS, ..JournalFilter::default() };
            let links = app.store.journal(&filter).await?;
            for link in &links {
                self.record(link);
                self.seq = link.seq;
            }
            if links.len() < RECORDS as usize {
                return Ok(());
            }
        }
    }

    /// Looks at everything; these are open.
    pub(super) async fn look<'a>(
        &mut self,
        app: &App,
        rules: &[Rule],
        open: impl Iterator<Item = (&'a Subject, Condition)> + Send,
        now: Millis,
    ) -> Result<Look, StoreError> {
        self.follow(app).await?;
        self.happened.retain(|_, happened| now - happened.at < LASTS);
        self.rescues.retain(|(_, _, at, _)| now - at < LASTS);
        let mut look = Look::default();
        let projects = app.catalogue.projects();
        for project in &projects {
            let mut rules = rules_of(rules, project.id);
            rules.retain(|rule| matches!(rule.condition.scope(), Scope::Item | Scope::Job));
            self.project(app, project, &rules, now, &mut look);
        }
        self.deadlines.keep(|job| app.catalogue.job_of(job).is_some());
        if app.catalogue.has_held() {
            look.findings.extend(held(app, rules).await?);
        }
        self.slowly(app, &projects, now).await;
        for rule in rules_of(rules, 0) {
            if rule.condition.scope() == Scope::System {
                look.findings.extend(self.of_servers(app, rule, &projects, now).await?);
            }
        }
        let unknown =
            open.filter(|(subject, condition)| !self.knows(app, rules, subject, *condition, &projects, now));
        look.unknown = unknown.map(|(subject, _)| subject.clone()).collect();
        Ok(look)
    }

    /// Is enough known to say that this is over, if it was not found?
    fn knows(
        &mut self,
        app: &App,
        rules: &[Rule],
        subject: &Subject,
        condition: Condition,
        projects: &[Arc<ProjectRow>],
        now: Millis,
    ) -> bool {
        // What no rule judges any more is over.
        let rules = rules_of(rules, subject.project);
        let Some(rule) = rules.into_iter().find(|rule| rule.id == subject.rule) else { return true };
        let thing = subject.thing.as_str();
        match condition {
            Condition::RegistryAway => {
                let mut there = projects.iter().filter(|project| project.registry == thing);
                !there.any(|project| app.mirrors.of(project.id).read().state == State::Loading)
            }
            Condition::EventsLost => {
                self.slow.losses.contains_key(thing) || projects.iter().all(|project| project.store != thing)
            }
            Condition::ClockSkew | Condition::KeyOld => self.slow.answered.contains(&condition),
            _ if subject.job == 0 => true,
            _ => {
                let Some(row) = app.catalogue.job_of(subject.job) else { return true };
                let Some(project) = app.catalogue.project_of(subject.project) else { return true };
                let mirror = app.mirrors.of(project.id);
                facts(app, &project, &mirror.read(), &row, |job, _| {
                    !fits(&rule.jobs, job.name)
                        || judge::is_known(condition, job, subject.item, self.due(&row, rule, now))
                })
            }
        }
    }

    /// The instant that must have its outcomes by now, if the rule asks for them.
    fn due(&mut self, row: &JobRow, rule: &Rule, now: Millis) -> Option<Millis> {
        if rule.condition != Condition::Overdue {
            return None;
        }
        self.deadlines.due(row.id, row.version, row.schedule(), rule.wait, now)
    }

    fn project(&mut self, app: &App, project: &ProjectRow, rules: &[&Rule], now: Millis, look: &mut Look) {
        let mirror = app.mirrors.of(project.id);
        let picture = mirror.read();
        let follows = matches!(picture.state, State::Following | State::CatchingUp);
        for (source, is_there) in
            [(Source::Mirror, follows), (Source::History, app.outcomes.is_seen(&project.store))]
        {
            if self.is_away((project.id, source), is_there, now) {
                look.away.insert((project.id, source));
            }
        }
        let let_go = self.let_go.get(&project.id).copied().unwrap_or_default();
        for row in app.catalogue.jobs(project.id) {
            facts(app, project, &picture, &row, |job, still| {
                let news =
                    self.told.get(&row.id).map_or(Millis::MAX, |told| told - 1).min(self.begun - LASTS);
                let explained = if still { now } else { row.changed.max(news).max(let_go) };
                self.deadlines.explain(row.id, explained);
                for rule in rules {
                    let due = self.due(&row, rule, now);
                    look.findings.extend(judge::job(rule, job, due, now));
                    let happened = self.happened.get(&(row.id, rule.condition));
                    look.findings.extend(happened.and_then(|happened| happened.judge(rule, job, now)));
                }
            });
        }
    }

    /// A source that was away is not believed for a moment after it is back.
    fn is_away(&mut self, source: (i64, Source), is_there: bool, now: Millis) -> bool {
        if !is_there {
            self.away.insert(source, now);
        }
        match self.away.get(&source) {
            Some(last) if now - last < SETTLES => true,
            Some(_) => {
                self.away.remove(&source);
                false
            }
            None => false,
        }
    }

    /// Asks for what changes slowly. What does not answer is asked again a minute later.
    async fn slowly(&mut self, app: &App, projects: &[Arc<ProjectRow>], now: Millis) {
        let slow = &mut self.slow;
        if now - slow.at < SLOWLY {
            return;
        }
        slow.at = now;
        if let Ok(skew) = app.store.skew().await {
            slow.answered.insert(Condition::ClockSkew);
            slow.skew = skew;
        }
        if let Ok(keys) = app.store.keys().await {
            slow.answered.insert(Condition::KeyOld);
            let ring = app.vault.ring();
            slow.key = keys.into_iter().find(|key| key.id == ring.first()).map(|key| (key.id, key.at));
        }
        let stores: BTreeSet<&str> = projects.iter().map(|project| project.store.as_str()).collect();
        slow.losses.retain(|name, _| stores.contains(name.as_str()));
        for name in stores {
            let Ok(history) = app.histories.of(name).await else { continue };
            let Ok(losses) = history.losses(now - LASTS, now).await else { continue };
            let events =
                losses.iter().map(|loss| loss.statuses + loss.executions + loss.settlements + loss.failures);
            let told = losses.first().map(|last| (events.sum(), last.id.clone()));
            slow.losses.insert(name.to_owned(), told);
        }
    }

    async fn of_servers(
        &self,
        app: &App,
        rule: &Rule,
        projects: &[Arc<ProjectRow>],
        now: Millis,
    ) -> Result<Vec<Finding>, StoreError> {
        let of = |thing: &str, mark: String, params| judge::thing(rule, 0, thing, mark, params);
        let slow = &self.slow;
        Ok(match rule.condition {
            Condition::RegistryAway => {
                let is_away = |project: &&Arc<ProjectRow>| {
                    matches!(app.mirrors.of(project.id).read().state, State::Away(_))
                };
                let names: BTreeSet<&str> =
                    projects.iter().filter(is_away).map(|project| project.registry.as_str()).collect();
                names.into_iter().map(|name| of(name, String::new(), json!({}))).collect()
            }
            Condition::StoreAway => {
                let names: BTreeSet<&str> = projects.iter().map(|project| project.store.as_str()).collect();
                let away = names.into_iter().filter(|name| !app.outcomes.is_seen(name));
                away.map(|name| of(name, String::new(), json!({}))).collect()
            }
            Condition::ClockSkew => {
                let skew = slow.skew.filter(|skew| skew.abs() > rule.threshold);
                skew.map(|skew| of("", String::new(), json!({ "skew": skew }))).into_iter().collect()
            }
            Condition::EventsLost => {
                let told = slow.losses.iter().filter_map(|(name, told)| Some((name, told.as_ref()?)));
                told.map(|(name, (events, last))| of(name, last.clone(), json!({ "events": events })))
                    .collect()
            }
            Condition::RescueMade | Condition::RescueUsed => {
                let told = self.rescues.iter().filter(|(condition, ..)| *condition == rule.condition);
                told.map(|(_, seq, _, login)| of(&seq.to_string(), String::new(), json!({ "login": login })))
                    .collect()
            }
            Condition::DeliveryDead => {
                let dead = app.store.dead(now - DEAD).await?;
                if dead.is_empty() {
                    return Ok(Vec::new());
                }
                let channels = app.store.channels().await?;
                let name = |id: &str| channels.iter().find(|row| row.id == id).map(|row| row.name.clone());
                let told = dead.iter().filter_map(|(id, why)| Some((name(id)?, why)));
                told.map(|(name, why)| of(&name, String::new(), json!({ "why": why }))).collect()
            }
            Condition::KeyOld => {
                let old = slow.key.as_ref().filter(|(_, at)| now - at > rule.threshold * DAY);
                old.map(|(id, at)| of(id, String::new(), json!({ "since": At(*at) }))).into_iter().collect()
            }
            Condition::Certificate => {
                let ends = app.certificate_ends().filter(|ends| ends - now < rule.threshold * DAY);
                let told = |ends| of(&app.config.public_url, String::new(), json!({ "until": At(ends) }));
                ends.map(told).into_iter().collect()
            }
            _ => Vec::new(),
        })
    }
}

/// What is held in each project until somebody confirms.
async fn held(app: &App, rules: &[Rule]) -> Result<Vec<Finding>, StoreError> {
    let mut found = Vec::new();
    for (project, jobs) in app.store.held().await? {
        let Some(row) = app.catalogue.project_of(project) else { continue };
        for rule in rules_of(rules, project) {
            if rule.condition == Condition::SyncHeld {
                let params = json!({ "jobs": jobs, "project": row.name });
                found.push(judge::thing(rule, project, "", String::new(), params));
            }
        }
    }
    Ok(found)
}

/// Looks at a job as it is judged, and at whether it stands still by somebody's wish.
fn facts<T>(
    app: &App,
    project: &ProjectRow,
    picture: &Picture,
    row: &JobRow,
    look: impl FnOnce(&Job<'_>, bool) -> T,
) -> T {
    let live = live(picture, row, || app.outcomes.begun(project, &row.name));
    let online = row.state == JobState::Online;
    let still = !online || live.as_ref().is_some_and(|(_, still)| *still);
    app.outcomes.of(project, &row.name, |states| {
        let job = Job {
            project: row.project,
            id: row.id,
            name: &row.name,
            online,
            diverged: row.diverged,
            items: u32::try_from(row.items).unwrap_or_default(),
            run_min: row.run_min,
            run_max: row.run_max,
            states,
            live: live.as_ref().map(|(live, _)| live),
        };
        look(&job, still)
    })
}

/// What the registry has of a job, and whether it stands still there; `begun` asks what Elastic-Job's instances wrote of it.
fn live(
    picture: &Picture,
    row: &JobRow,
    begun: impl FnOnce() -> Option<BTreeMap<Item, Millis>>,
) -> Option<(Live, bool)> {
    let job = picture.job(&row.name)?;
    let (names, leases) = (&picture.names, &picture.leases);
    let java = picture.is_javas(job).then(|| java(picture, job, begun()));
    let items = job.all_items().filter_map(|(item, state)| {
        let doing = if job.is_running(state, names, leases) {
            Doing::Runs(state.since)
        } else if job.is_stranded(state, names, leases) {
            Doing::Stranded
        } else if state.is_disabled() {
            Doing::Disabled
        } else {
            return None;
        };
        Some((item, doing))
    });
    let live = Live { members: job.members().count(), java, items: items.collect() };
    let still = matches!(job.status().0, JobStatus::Paused | JobStatus::Disabled);
    Some((live, still))
}

/// What shows that a job of Elastic-Job ran: its history, and its marks.
fn java(picture: &Picture, job: &Row, begun: Option<BTreeMap<Item, Millis>>) -> Java {
    let traced = begun.is_some();
    let marks = job.config.as_ref().is_some_and(|config| config.marks);
    let mut ran = begun.unwrap_or_default();
    for (item, state) in job.all_items().filter(|(_, state)| state.since > 0) {
        let there = ran.entry(item).or_default();
        *there = state.since.max(*there);
    }
    Java { traced, marked: picture.hinted.filter(|_| marks), ran }
}

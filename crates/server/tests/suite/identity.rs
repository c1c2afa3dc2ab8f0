//! Who comes in, and how.

use crate::stage::{Caller, PASSWORD, Reply, Stage, link_path, on_each_database};
use clockwright_server::ops::resume;
use clockwright_server::{Setup, setup, setup_link};
use serde_json::json;

on_each_database! {
    s02_the_first_administrator_comes_in_by_a_link_that_works_once
    of_several_servers_of_a_new_database_one_makes_the_link_and_the_others_say_which
    another_server_asks_for_rights_as_of_what_the_client_has_seen
    s03_a_failed_sign_in_says_nothing_but_that_it_failed
    s03_a_login_waits_after_failures_and_is_not_locked_for_good
    s03_guesses_that_come_at_once_all_count
    s03_whose_login_others_guess_comes_in_from_a_browser_that_is_known
    s03_a_place_that_fails_too_often_waits_for_the_next_minute_whomever_it_guesses
    s36_who_asks_too_often_is_told_how_they_stand_and_to_come_again
    s04_a_session_ends_when_it_is_idle_and_when_its_owner_ends_it
    s04_an_eleventh_session_ends_the_oldest
    s11_a_change_by_cookie_from_another_site_is_refused
    s05_a_token_has_no_more_rights_than_its_scopes_and_ends_with_its_owner
    what_would_outlive_a_session_needs_a_fresh_sign_in
    the_last_administrator_cannot_be_taken_away
    passwords_are_changed_by_who_knows_the_old_one_and_other_sessions_end
    s10_a_request_that_is_sent_again_by_its_key_is_carried_out_once
}

async fn s02_the_first_administrator_comes_in_by_a_link_that_works_once(stage: &Stage) {
    let link = setup_link(&stage.app).await.unwrap().unwrap();
    let weak = json!({ "login": "root", "password": "password1234" });
    let path = link_path(&link.url);
    let nobody = Caller::default();
    let refused = stage.post(&nobody, &path, weak).await.refused("invalid");
    assert_eq!(refused["errors"][0]["pointer"], "/password");
    let root = stage.open_link(&link.url, Some("root")).await;
    let session = stage.get(&root, "/session").await.is(200);
    assert_eq!((&session["person"]["login"], &session["role"]), (&json!("root"), &json!("admin")));
    let again = json!({ "login": "second", "password": PASSWORD });
    stage.post(&nobody, &path, again).await.refused("link-used");
    assert!(setup_link(&stage.app).await.unwrap().is_none(), "somebody exists");
}

async fn of_several_servers_of_a_new_database_one_makes_the_link_and_the_others_say_which(stage: &Stage) {
    let other = stage.another().await;
    Stage::lives(&stage.app).await;
    Stage::lives(&other).await;
    let (ours, theirs) = futures::future::join(setup(&stage.app), setup(&other)).await;
    let (link, maker, waiting) = match (ours.unwrap(), theirs.unwrap()) {
        (Setup::Here(link), Setup::Elsewhere(server)) => (link, (&stage.app, server), &other),
        (Setup::Elsewhere(server), Setup::Here(link)) => (link, (&other, server), &stage.app),
        both => panic!("{both:?}"),
    };
    assert_eq!(maker.0.id, maker.1.id);
    // Whoever has made it is silent: its link is of no use to those who cannot see what it has printed.
    stage.pass(resume::SILENT + 1);
    Stage::lives(waiting).await;
    let Setup::Here(new) = setup(waiting).await.unwrap() else { panic!("it is dead") };
    let ask = json!({ "login": "root", "password": PASSWORD });
    stage.post(&Caller::default(), &link_path(&link.url), ask.clone()).await.refused("link-used");
    assert!(matches!(setup(maker.0).await.unwrap(), Setup::Elsewhere(_)));
    stage.post(&Caller::default(), &link_path(&new.url), ask).await.is(200);
    assert!(matches!(setup(maker.0).await.unwrap(), Setup::Over));
}

async fn another_server_asks_for_rights_as_of_what_the_client_has_seen(stage: &Stage) {
    let other = stage.another().await;
    let root = stage.admin().await;
    let seen = root.with("clockwright-min-seq", &stage.app.catalogue.seq().to_string());
    assert_eq!(Stage::status_at(&other, &seen, "/users").await, 200);
}

async fn s03_a_failed_sign_in_says_nothing_but_that_it_failed(stage: &Stage) {
    let root = stage.admin().await;
    stage.somebody(&root, "lina", None).await;
    let nobody = Caller::default();
    let mut bodies = Vec::new();
    for (login, password) in [("lina", "wrong wrong wrong"), ("nobody", PASSWORD)] {
        let mut body = stage
            .post(&nobody, "/session", json!({ "login": login, "password": password }))
            .await
            .refused("sign-in-failed");
        body.as_object_mut().unwrap().remove("instance");
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
    let journal = stage.get(&root, "/journal?action=session.begin").await.is(200);
    assert!(
        journal["items"].as_array().unwrap().iter().any(|record| record["code"] == "sign-in-failed"),
        "{journal:#}"
    );
}

async fn s03_a_login_waits_after_failures_and_is_not_locked_for_good(stage: &Stage) {
    let root = stage.admin().await;
    stage.somebody(&root, "lina", None).await;
    let nobody = Caller::default();
    for _ in 0..5 {
        stage
            .post(&nobody, "/session", json!({ "login": "lina", "password": "wrong wrong wrong" }))
            .await
            .refused("sign-in-failed");
    }
    let right = json!({ "login": "lina", "password": PASSWORD });
    stage.post(&nobody, "/session", right.clone()).await.refused("sign-in-failed");
    stage.pass(60_000);
    stage.post(&nobody, "/session", right.clone()).await.is(200);
    // Twelve in a row over many minutes: it waits longer than a minute then.
    for _ in 0..12 {
        stage.post(&nobody, "/session", wrong("lina")).await.refused("sign-in-failed");
        stage.pass(15 * 60_000);
    }
    stage.post(&nobody, "/session", wrong("lina")).await.refused("sign-in-failed");
    stage.pass(2 * 60_000);
    stage.post(&nobody, "/session", right.clone()).await.refused("sign-in-failed");
    stage.pass(15 * 60_000);
    stage.post(&nobody, "/session", right).await.is(200);
}

fn wrong(login: &str) -> serde_json::Value {
    json!({ "login": login, "password": "wrong wrong wrong" })
}

async fn s03_guesses_that_come_at_once_all_count(stage: &Stage) {
    let root = stage.admin().await;
    stage.somebody(&root, "lina", None).await;
    let nobody = Caller::default();
    let replies =
        futures::future::join_all((0..8).map(|_| stage.post(&nobody, "/session", wrong("lina")))).await;
    for reply in &replies {
        reply.refused("sign-in-failed");
    }
    let lina = stage.app.store.user_of_login("lina").await.unwrap().unwrap();
    assert_eq!(lina.failed, 5, "those that came later were not looked at");
    assert!(lina.locked_until.is_some_and(|until| until > stage.app.now()));
}

async fn s03_whose_login_others_guess_comes_in_from_a_browser_that_is_known(stage: &Stage) {
    let root = stage.admin().await;
    let lina = stage.somebody(&root, "lina", None).await;
    let nobody = Caller::default();
    for _ in 0..8 {
        stage.post(&nobody, "/session", wrong("lina")).await.refused("sign-in-failed");
    }
    let right = json!({ "login": "lina", "password": PASSWORD });
    stage.post(&nobody, "/session", right.clone()).await.refused("sign-in-failed");
    stage.post(&root, "/session", right.clone()).await.refused("sign-in-failed");
    stage.post(&lina, "/session", right).await.is(200);
}

async fn s03_a_place_that_fails_too_often_waits_for_the_next_minute_whomever_it_guesses(stage: &Stage) {
    let root = stage.admin().await;
    stage.somebody(&root, "lina", None).await;
    let nobody = Caller::default();
    for guess in 0..20 {
        stage.post(&nobody, "/session", wrong(&format!("guess{guess}"))).await.refused("sign-in-failed");
    }
    for login in ["lina", "nobody"] {
        let reply = stage.post(&nobody, "/session", json!({ "login": login, "password": PASSWORD })).await;
        reply.refused("locked-out");
        assert_eq!(reply.headers["retry-after"], "60");
    }
    stage.post(&root, "/me/step-up", json!({ "password": PASSWORD })).await.refused("locked-out");
    stage.pass(60_000);
    stage.post(&nobody, "/session", json!({ "login": "lina", "password": PASSWORD })).await.is(200);
}

async fn s36_who_asks_too_often_is_told_how_they_stand_and_to_come_again(stage: &Stage) {
    let root = stage.admin().await;
    let reply = stage.get(&root, "/me").await;
    reply.is(200);
    assert_eq!(reply.headers["ratelimit-policy"], "\"reads\";q=200;w=4");
    assert_eq!(reply.headers["ratelimit"], "\"reads\";r=199;t=1");
    let change = || stage.delete(&root, "/me/sessions/none");
    for left in (0..50).rev() {
        let reply = change().await;
        assert_eq!(
            reply.headers["ratelimit"].to_str().unwrap().split(';').nth(1),
            Some(format!("r={left}").as_str())
        );
    }
    let reply = change().await;
    reply.refused("rate-limited");
    assert_eq!(
        (&reply.headers["retry-after"], &reply.headers["ratelimit"]),
        (&"1".parse().unwrap(), &"\"changes\";r=0;t=5".parse().unwrap())
    );
    stage.get(&root, "/me").await.is(200);
    stage.pass(100);
    change().await.refused("not-found");
}

async fn s04_a_session_ends_when_it_is_idle_and_when_its_owner_ends_it(stage: &Stage) {
    let root = stage.admin().await;
    stage.pass(20 * 60_000);
    stage.get(&root, "/session").await.is(200);
    stage.pass(20 * 60_000);
    stage.get(&root, "/session").await.is(200);
    stage.pass(40 * 60_000);
    stage.get(&root, "/session").await.refused("session-over");
    let reply =
        stage.post(&Caller::default(), "/session", json!({ "login": "root", "password": PASSWORD })).await;
    reply.is(200);
    let root = Caller::of_cookie(&reply);
    stage.delete(&root, "/session").await.is(204);
    stage.get(&root, "/session").await.refused("session-over");
    stage.get(&Caller::default(), "/session").await.refused("not-signed-in");
}

async fn s04_an_eleventh_session_ends_the_oldest(stage: &Stage) {
    let root = stage.admin().await;
    for _ in 0..10 {
        stage.pass(1_000);
        stage
            .post(&Caller::default(), "/session", json!({ "login": "root", "password": PASSWORD }))
            .await
            .is(200);
    }
    stage.get(&root, "/session").await.refused("session-over");
}

async fn s11_a_change_by_cookie_from_another_site_is_refused(stage: &Stage) {
    let root = stage.admin().await;
    let project = json!({ "name": "billing" });
    for site in ["cross-site", "same-site", "none"] {
        stage
            .post(&root.with("sec-fetch-site", site), "/projects", project.clone())
            .await
            .refused("cross-site");
    }
    stage.post(&root, "/projects", project).await.is(201);
}

async fn s05_a_token_has_no_more_rights_than_its_scopes_and_ends_with_its_owner(stage: &Stage) {
    let root = stage.admin().await;
    let lina = stage.somebody(&root, "lina", Some("developer")).await;
    stage.post(&root, "/projects", json!({ "name": "billing" })).await.is(201);
    let refused =
        stage.post(&lina, "/me/tokens", json!({ "name": "ci", "scopes": ["raed"] })).await.refused("invalid");
    assert!(
        refused["errors"][0]["message"].as_str().unwrap().contains("did you mean `read`?"),
        "{refused:#}"
    );
    let made =
        stage.post(&lina, "/me/tokens", json!({ "name": "ci", "scopes": ["project.read"] })).await.is(201);
    let token = Caller::of_token(made["secret"].as_str().unwrap());
    stage.get(&token, "/projects/billing").await.is(200);
    stage.get(&token, "/projects/billing/members").await.refused("not-allowed");
    stage
        .post(&token, "/me/tokens", json!({ "name": "more", "scopes": ["read"] }))
        .await
        .refused("not-allowed");
    let shown = stage.get(&lina, "/me/tokens").await.is(200);
    assert!(!shown.to_string().contains(made["secret"].as_str().unwrap()));
    let id = stage.get(&lina, "/me").await.is(200)["id"].as_str().unwrap().to_owned();
    stage.post(&root, &format!("/users/{id}/disable"), json!({})).await.is(204);
    stage.get(&token, "/projects/billing").await.refused("token-expired");
    stage.get(&lina, "/me").await.refused("session-over");
}

async fn what_would_outlive_a_session_needs_a_fresh_sign_in(stage: &Stage) {
    let root = stage.admin().await;
    stage.pass(6 * 60_000);
    let ask = json!({ "name": "ci", "scopes": ["read"] });
    stage.post(&root, "/me/tokens", ask.clone()).await.refused("step-up-needed");
    stage
        .post(&root, "/me/step-up", json!({ "password": "wrong wrong wrong" }))
        .await
        .refused("sign-in-failed");
    let keyed = root.with("idempotency-key", "again");
    for _ in 0..2 {
        stage.post(&keyed, "/me/step-up", json!({ "password": PASSWORD })).await.is(204);
    }
    stage.post(&root, "/me/tokens", ask).await.is(201);
}

async fn the_last_administrator_cannot_be_taken_away(stage: &Stage) {
    let root = stage.admin().await;
    let me = stage.get(&root, "/me").await.is(200);
    let (id, version) = (me["id"].as_str().unwrap(), me["version"].as_i64().unwrap());
    stage.delete(&root.at(version), &format!("/users/{id}")).await.refused("last-admin");
    stage.post(&root, &format!("/users/{id}/disable"), json!({})).await.refused("last-admin");
    stage.put(&root, "/members/user/root", json!({ "role": "viewer" })).await.refused("last-admin");
    stage.somebody(&root, "lina", Some("admin")).await;
    stage.put(&root, "/members/user/root", json!({ "role": "viewer" })).await.is(200);
    stage.get(&root, "/users").await.refused("not-allowed");
}

async fn passwords_are_changed_by_who_knows_the_old_one_and_other_sessions_end(stage: &Stage) {
    let root = stage.admin().await;
    let reply =
        stage.post(&Caller::default(), "/session", json!({ "login": "root", "password": PASSWORD })).await;
    let other = Caller::of_cookie(&reply);
    let new = "another horse battery staple";
    stage.put(&root, "/me/password", json!({ "old": "x", "password": new })).await.refused("sign-in-failed");
    stage.put(&root, "/me/password", json!({ "old": PASSWORD, "password": new })).await.is(204);
    stage.get(&root, "/me").await.is(200);
    stage.get(&other, "/me").await.refused("session-over");
    stage.post(&Caller::default(), "/session", json!({ "login": "root", "password": new })).await.is(200);
}

async fn s10_a_request_that_is_sent_again_by_its_key_is_carried_out_once(stage: &Stage) {
    let root = stage.admin().await;
    let keyed = root.with("idempotency-key", "one");
    let first = stage.post(&keyed, "/projects", json!({ "name": "billing" })).await;
    let again = stage.post(&keyed, "/projects", json!({ "name": "billing" })).await;
    assert_eq!(first.is(201), again.is(201));
    assert_eq!(
        (first.headers.get("idempotency-replayed"), &again.headers["idempotency-replayed"]),
        (None, &"true".parse().unwrap())
    );
    assert_eq!(first.headers["etag"], again.headers["etag"]);
    stage.post(&keyed, "/projects", json!({ "name": "other" })).await.refused("idempotency-mismatch");
    let all = stage.get(&root, "/journal?action=project.create").await.is(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    // Another server may not have heard of it yet: what it answers says up to where the journal is to be known.
    let other = stage.beside().await;
    let there = other.post(&keyed, "/projects", json!({ "name": "billing" })).await;
    let number = |reply: &Reply| reply.headers["clockwright-seq"].to_str().unwrap().parse::<i64>().unwrap();
    assert!(number(&there) >= number(&first), "{there:?}");
    other
        .get(&root.with("clockwright-min-seq", &number(&there).to_string()), "/projects/billing")
        .await
        .is(200);
    // So does what it reads in the database.
    let made = stage.post(&root, "/users", json!({ "login": "lina" })).await;
    let seen = other.get(&root, "/users").await;
    assert_eq!(seen.is(200)["items"].as_array().unwrap().len(), 2);
    assert!(number(&seen) >= number(&made), "{seen:?}");
    let together = root.with("idempotency-key", "two");
    let asks = (0..20).map(|_| stage.post(&together, "/projects", json!({ "name": "reports" })));
    let replies = futures::future::join_all(asks).await;
    for reply in &replies {
        assert!(reply.status == 201 || reply.body["code"] == "request-in-progress", "{reply:?}");
    }
    let all = stage.get(&root, "/journal?action=project.create").await.is(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

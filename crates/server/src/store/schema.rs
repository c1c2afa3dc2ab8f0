//! The tables of the control store, in one text for three databases.
//!
//! What the three have in common is all that is used. `VARCHAR` compares by bytes: SQLite does so by itself, PostgreSQL is told by
//! `COLLATE "C"` behind each column, MySQL by the collation of the table. There is no enum, boolean, JSON, array, sequence, trigger,
//! partial index or foreign key. Times are epoch milliseconds, truth values 0 and 1.
//!
//! - **Uniqueness among the living**: a column `alive` is empty while a thing lives and its own id afterwards, and the unique index
//!   spans it, so that a name can be used again.
//! - **Ids** of projects and jobs are the number of the journal record that made them; 0 stands for all. Other ids are UUIDv7 as text.
//! - **What changes one row** names the version that it changes: `UPDATE … WHERE id = ? AND version = ?`, and the number of rows tells.

use clockwright_sql::{Least, Schema, Sessions};

/// The control store. A step is never changed once it was released; a change is a step behind it.
pub(super) const SCHEMA: Schema = Schema {
    sqlite: &[tables!("", "TEXT", "")],
    postgres: &[tables!(" COLLATE \"C\"", "TEXT COLLATE \"C\"", "")],
    mysql: &[tables!("", "MEDIUMTEXT", " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin")],
    least: Least { sqlite: 1, postgres: 1, mysql: 1 },
    version_table: "CLOCKWRIGHT_CONTROL_SCHEMA",
    lock_name: "clockwright-control",
    // Chosen by a roll of dice.
    lock_number: 4_180_663_957_702,
    sessions: Sessions {
        // A server that stands still in the middle of a change would hold its rows, and the journal's head, until it goes on: the others
        // wait for ten seconds. MySQL ends any session that says nothing for so long; a new one is opened when it is needed.
        postgres: "SET default_transaction_isolation = 'read committed'; \
                   SET idle_in_transaction_session_timeout = '10s'",
        // Strict: a setting that does not fit is refused, not bent.
        mysql: "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
                SESSION transaction_isolation = 'READ-COMMITTED', SESSION time_zone = '+00:00', SESSION wait_timeout = 10",
        mariadb: "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
                  SESSION tx_isolation = 'READ-COMMITTED', SESSION time_zone = '+00:00', \
                  SESSION idle_transaction_timeout = 10",
    },
    // What was acknowledged is there after a power cut.
    synchronous: clockwright_sql::file::Synchronous::Full,
    threads: "control-sqlite",
};

/// The first step. `$c` follows the type of each text, `$long` is the type of long ones, `$table` ends each table.
macro_rules! tables {
    ($c:literal, $long:literal, $table:literal) => {
        concat!(
            // The journal's head: the one row whose lock numbers what happens.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_HEAD (id BIGINT NOT NULL, seq BIGINT NOT NULL, hash VARCHAR(64)", $c, " NOT NULL, ",
            "PRIMARY KEY (id))", $table, ";\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_JOURNAL (seq BIGINT NOT NULL, at BIGINT NOT NULL, actor_kind VARCHAR(10)", $c, " NOT NULL, ",
            "actor VARCHAR(36)", $c, " NOT NULL, actor_name VARCHAR(100)", $c, " NOT NULL, via VARCHAR(10)", $c, " NOT NULL, ",
            "ip VARCHAR(45)", $c, " NOT NULL, request VARCHAR(36)", $c, " NOT NULL, action VARCHAR(40)", $c, " NOT NULL, ",
            "project BIGINT NOT NULL, target_kind VARCHAR(20)", $c, " NOT NULL, target VARCHAR(36)", $c, " NOT NULL, ",
            "target_name VARCHAR(255)", $c, " NOT NULL, outcome VARCHAR(10)", $c, " NOT NULL, code VARCHAR(40)", $c, " NOT NULL, ",
            "changes ", $long, " NOT NULL, reason VARCHAR(1000)", $c, " NOT NULL, prev VARCHAR(64)", $c, " NOT NULL, ",
            "hash VARCHAR(64)", $c, " NOT NULL, PRIMARY KEY (seq))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_JOURNAL_PROJECT ON CLOCKWRIGHT_JOURNAL (project, seq);\n",
            "CREATE INDEX CLOCKWRIGHT_JOURNAL_TARGET ON CLOCKWRIGHT_JOURNAL (target, seq);\n",
            "CREATE INDEX CLOCKWRIGHT_JOURNAL_ACTOR ON CLOCKWRIGHT_JOURNAL (actor, seq);\n",
            "CREATE INDEX CLOCKWRIGHT_JOURNAL_ACTION ON CLOCKWRIGHT_JOURNAL (action, seq);\n",
            "CREATE INDEX CLOCKWRIGHT_JOURNAL_AT ON CLOCKWRIGHT_JOURNAL (at);\n",
            // Who leads: one row for chores and hosted jobs.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_TERM (id BIGINT NOT NULL, term BIGINT NOT NULL, batch BIGINT NOT NULL, beats BIGINT NOT NULL, ",
            "holder VARCHAR(100)", $c, " NOT NULL, home VARCHAR(36)", $c, " NOT NULL, cluster VARCHAR(36)", $c, " NOT NULL, ",
            "taken BIGINT NOT NULL, PRIMARY KEY (id))", $table, ";\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_CONTROL_SERVER (id VARCHAR(36)", $c, " NOT NULL, host VARCHAR(255)", $c, " NOT NULL, ",
            "address VARCHAR(255)", $c, " NOT NULL, version VARCHAR(100)", $c, " NOT NULL, started BIGINT NOT NULL, ",
            "seen BIGINT NOT NULL, PRIMARY KEY (id))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_CONTROL_SERVER_SEEN ON CLOCKWRIGHT_CONTROL_SERVER (seen);\n",
            // What people made.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_PROJECT (id BIGINT NOT NULL, name VARCHAR(100)", $c, " NOT NULL, ",
            "alive VARCHAR(36)", $c, " NOT NULL, title VARCHAR(200)", $c, " NOT NULL, note ", $long, " NOT NULL, ",
            "registry VARCHAR(100)", $c, " NOT NULL, namespace VARCHAR(200)", $c, " NOT NULL, store VARCHAR(100)", $c, " NOT NULL, ",
            "layout VARCHAR(2)", $c, " NOT NULL, policy ", $long, " NOT NULL, code_edit BIGINT NOT NULL, ",
            "control_mark BIGINT NOT NULL, version BIGINT NOT NULL, created BIGINT NOT NULL, PRIMARY KEY (id))", $table, ";\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_PROJECT_NAME ON CLOCKWRIGHT_PROJECT (name, alive);\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_PROJECT_PLACE ON CLOCKWRIGHT_PROJECT (registry, namespace, alive);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_MEMBER (project BIGINT NOT NULL, who_kind VARCHAR(5)", $c, " NOT NULL, ",
            "who VARCHAR(200)", $c, " NOT NULL, role VARCHAR(12)", $c, " NOT NULL, by_id VARCHAR(36)", $c, " NOT NULL, ",
            "at BIGINT NOT NULL, PRIMARY KEY (project, who_kind, who))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_MEMBER_WHO ON CLOCKWRIGHT_MEMBER (who_kind, who);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_JOB (id BIGINT NOT NULL, project BIGINT NOT NULL, mode VARCHAR(9)", $c, " NOT NULL, ",
            "name VARCHAR(100)", $c, " NOT NULL, alive VARCHAR(36)", $c, " NOT NULL, version BIGINT NOT NULL, ",
            "state VARCHAR(10)", $c, " NOT NULL, managed VARCHAR(7)", $c, " NOT NULL, source VARCHAR(100)", $c, " NOT NULL, ",
            "diverged BIGINT NOT NULL, kind VARCHAR(10)", $c, " NOT NULL, cron VARCHAR(200)", $c, " NOT NULL, ",
            "zone VARCHAR(60)", $c, " NOT NULL, items BIGINT NOT NULL, title VARCHAR(300)", $c, " NOT NULL, ",
            "tags VARCHAR(500)", $c, " NOT NULL, owner VARCHAR(100)", $c, " NOT NULL, digest VARCHAR(64)", $c, " NOT NULL, ",
            "run_min BIGINT NOT NULL, run_max BIGINT NOT NULL, changed BIGINT NOT NULL, PRIMARY KEY (id))", $table, ";\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_JOB_NAME ON CLOCKWRIGHT_JOB (project, name, alive);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_JOB_VERSION (job BIGINT NOT NULL, version BIGINT NOT NULL, settings ", $long, " NOT NULL, ",
            "digest VARCHAR(64)", $c, " NOT NULL, source_text ", $long, ", author VARCHAR(36)", $c, " NOT NULL, ",
            "author_name VARCHAR(100)", $c, " NOT NULL, at BIGINT NOT NULL, reason VARCHAR(1000)", $c, " NOT NULL, ",
            "origin VARCHAR(8)", $c, " NOT NULL, based_on BIGINT, PRIMARY KEY (job, version))", $table, ";\n",
            // How the registry follows.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_SYNC (job BIGINT NOT NULL, state VARCHAR(12)", $c, " NOT NULL, base_version BIGINT NOT NULL, ",
            "base ", $long, ", wire_digest VARCHAR(64)", $c, " NOT NULL, layout VARCHAR(2)", $c, " NOT NULL, ",
            "seen VARCHAR(64)", $c, " NOT NULL, synced BIGINT NOT NULL, tries BIGINT NOT NULL, next_try BIGINT NOT NULL, ",
            "error VARCHAR(500)", $c, " NOT NULL, repeats BIGINT NOT NULL, over_digest VARCHAR(64)", $c, " NOT NULL, ",
            "over_at BIGINT NOT NULL, PRIMARY KEY (job))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_SYNC_STATE ON CLOCKWRIGHT_SYNC (state, next_try);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_DRIFT (id VARCHAR(36)", $c, " NOT NULL, project BIGINT NOT NULL, job BIGINT NOT NULL, ",
            "name VARCHAR(100)", $c, " NOT NULL, found BIGINT NOT NULL, kind VARCHAR(20)", $c, " NOT NULL, ",
            "verdict VARCHAR(10)", $c, " NOT NULL, had ", $long, " NOT NULL, wanted ", $long, " NOT NULL, ",
            "changes ", $long, " NOT NULL, author ", $long, " NOT NULL, done BIGINT, seq BIGINT, PRIMARY KEY (id))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_DRIFT_PROJECT ON CLOCKWRIGHT_DRIFT (project, found);\n",
            "CREATE INDEX CLOCKWRIGHT_DRIFT_JOB ON CLOCKWRIGHT_DRIFT (job, found);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_HOLD (project BIGINT NOT NULL, job BIGINT NOT NULL, scope VARCHAR(7)", $c, " NOT NULL, ",
            "target VARCHAR(60)", $c, " NOT NULL, kind VARCHAR(8)", $c, " NOT NULL, origin VARCHAR(8)", $c, " NOT NULL, ",
            "by_id VARCHAR(36)", $c, " NOT NULL, by_name VARCHAR(100)", $c, " NOT NULL, at BIGINT NOT NULL, ",
            "reason VARCHAR(1000)", $c, " NOT NULL, until_at BIGINT, PRIMARY KEY (project, job, scope, target, kind))", $table, ";\n",
            // What is under way.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_OPERATION (id VARCHAR(36)", $c, " NOT NULL, kind VARCHAR(20)", $c, " NOT NULL, ",
            "project BIGINT NOT NULL, job BIGINT NOT NULL, ask ", $long, " NOT NULL, state VARCHAR(9)", $c, " NOT NULL, ",
            "step BIGINT NOT NULL, done ", $long, " NOT NULL, control_server VARCHAR(36)", $c, " NOT NULL, ",
            "by_id VARCHAR(36)", $c, " NOT NULL, at BIGINT NOT NULL, ended BIGINT, answer ", $long, ", PRIMARY KEY (id))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_OPERATION_STATE ON CLOCKWRIGHT_OPERATION (state, at);\n",
            "CREATE INDEX CLOCKWRIGHT_OPERATION_PROJECT ON CLOCKWRIGHT_OPERATION (project, at);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_REQUEST (who VARCHAR(36)", $c, " NOT NULL, key_text VARCHAR(100)", $c, " NOT NULL, ",
            "route VARCHAR(60)", $c, " NOT NULL, body VARCHAR(64)", $c, " NOT NULL, state VARCHAR(7)", $c, " NOT NULL, ",
            "status BIGINT, answer ", $long, ", operation VARCHAR(36)", $c, " NOT NULL, at BIGINT NOT NULL, ",
            "expires BIGINT NOT NULL, PRIMARY KEY (who, key_text))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_REQUEST_EXPIRES ON CLOCKWRIGHT_REQUEST (expires);\n",
            // Who may come in.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_USER (id VARCHAR(36)", $c, " NOT NULL, login VARCHAR(100)", $c, " NOT NULL, ",
            "alive VARCHAR(36)", $c, " NOT NULL, name VARCHAR(100)", $c, " NOT NULL, mail VARCHAR(200)", $c, " NOT NULL, ",
            "kind VARCHAR(7)", $c, " NOT NULL, issuer VARCHAR(255)", $c, " NOT NULL, subject VARCHAR(255)", $c, " NOT NULL, ",
            "password VARCHAR(200)", $c, " NOT NULL, password_at BIGINT, state VARCHAR(8)", $c, " NOT NULL, ",
            "failed BIGINT NOT NULL, locked_until BIGINT, seen BIGINT, version BIGINT NOT NULL, created BIGINT NOT NULL, ",
            "PRIMARY KEY (id))", $table, ";\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_USER_LOGIN ON CLOCKWRIGHT_USER (login, alive);\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_USER_SUBJECT ON CLOCKWRIGHT_USER (issuer, subject, alive);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_SESSION (hash VARCHAR(64)", $c, " NOT NULL, who VARCHAR(36)", $c, " NOT NULL, ",
            "at BIGINT NOT NULL, seen BIGINT NOT NULL, ends BIGINT NOT NULL, auth_at BIGINT NOT NULL, via VARCHAR(6)", $c, " NOT NULL, ",
            "ip VARCHAR(45)", $c, " NOT NULL, agent VARCHAR(200)", $c, " NOT NULL, roles ", $long, " NOT NULL, ended BIGINT, ",
            "PRIMARY KEY (hash))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_SESSION_WHO ON CLOCKWRIGHT_SESSION (who);\n",
            "CREATE INDEX CLOCKWRIGHT_SESSION_ENDS ON CLOCKWRIGHT_SESSION (ends);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_TOKEN (id VARCHAR(36)", $c, " NOT NULL, hash VARCHAR(64)", $c, " NOT NULL, ",
            "who VARCHAR(36)", $c, " NOT NULL, name VARCHAR(100)", $c, " NOT NULL, tail VARCHAR(4)", $c, " NOT NULL, ",
            "scopes ", $long, " NOT NULL, projects ", $long, " NOT NULL, at BIGINT NOT NULL, expires BIGINT NOT NULL, ",
            "used BIGINT, used_ip VARCHAR(45)", $c, " NOT NULL, ended BIGINT, PRIMARY KEY (id))", $table, ";\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_TOKEN_HASH ON CLOCKWRIGHT_TOKEN (hash);\n",
            "CREATE INDEX CLOCKWRIGHT_TOKEN_WHO ON CLOCKWRIGHT_TOKEN (who);\n",
            "CREATE INDEX CLOCKWRIGHT_TOKEN_EXPIRES ON CLOCKWRIGHT_TOKEN (expires);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_LINK (hash VARCHAR(64)", $c, " NOT NULL, purpose VARCHAR(7)", $c, " NOT NULL, ",
            "who VARCHAR(36)", $c, " NOT NULL, role ", $long, " NOT NULL, at BIGINT NOT NULL, expires BIGINT NOT NULL, used BIGINT, ",
            "PRIMARY KEY (hash))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_LINK_EXPIRES ON CLOCKWRIGHT_LINK (expires);\n",
            // Failed sign-ins of this minute.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_GUESS (kind VARCHAR(5)", $c, " NOT NULL, who VARCHAR(64)", $c, " NOT NULL, ",
            "slot BIGINT NOT NULL, tries BIGINT NOT NULL, PRIMARY KEY (kind, who))", $table, ";\n",
            // Who is told.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_RULE (id VARCHAR(36)", $c, " NOT NULL, project BIGINT NOT NULL, name VARCHAR(100)", $c, " NOT NULL, ",
            "kind VARCHAR(20)", $c, " NOT NULL, what ", $long, " NOT NULL, severity VARCHAR(8)", $c, " NOT NULL, ",
            "wait BIGINT NOT NULL, channels ", $long, " NOT NULL, state VARCHAR(8)", $c, " NOT NULL, version BIGINT NOT NULL, ",
            "PRIMARY KEY (id))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_RULE_PROJECT ON CLOCKWRIGHT_RULE (project);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_ALERT (id VARCHAR(36)", $c, " NOT NULL, print VARCHAR(64)", $c, " NOT NULL, ",
            "open VARCHAR(36)", $c, " NOT NULL, rule VARCHAR(36)", $c, " NOT NULL, project BIGINT NOT NULL, job BIGINT NOT NULL, ",
            "item BIGINT, thing VARCHAR(200)", $c, " NOT NULL, kind VARCHAR(20)", $c, " NOT NULL, mark VARCHAR(64)", $c, " NOT NULL, ",
            "severity VARCHAR(8)", $c, " NOT NULL, state VARCHAR(8)", $c, " NOT NULL, at BIGINT NOT NULL, ",
            "last BIGINT NOT NULL, count BIGINT NOT NULL, ended BIGINT, ack_by VARCHAR(36)", $c, " NOT NULL, ack_at BIGINT, ",
            "ack_note VARCHAR(1000)", $c, " NOT NULL, text VARCHAR(1000)", $c, " NOT NULL, facts ", $long, " NOT NULL, ",
            "PRIMARY KEY (id))", $table, ";\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_ALERT_PRINT ON CLOCKWRIGHT_ALERT (print, open);\n",
            "CREATE INDEX CLOCKWRIGHT_ALERT_STATE ON CLOCKWRIGHT_ALERT (state, at);\n",
            "CREATE INDEX CLOCKWRIGHT_ALERT_ENDED ON CLOCKWRIGHT_ALERT (ended);\n",
            "CREATE INDEX CLOCKWRIGHT_ALERT_PROJECT ON CLOCKWRIGHT_ALERT (project, at);\n",
            "CREATE INDEX CLOCKWRIGHT_ALERT_JOB ON CLOCKWRIGHT_ALERT (job, at);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_SILENCE (id VARCHAR(36)", $c, " NOT NULL, project BIGINT NOT NULL, matchers ", $long, " NOT NULL, ",
            "starts BIGINT NOT NULL, ends BIGINT NOT NULL, weekly ", $long, " NOT NULL, by_id VARCHAR(36)", $c, " NOT NULL, ",
            "reason VARCHAR(1000)", $c, " NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (id))", $table, ";\n",
            "CREATE INDEX CLOCKWRIGHT_SILENCE_ENDS ON CLOCKWRIGHT_SILENCE (ends);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_CHANNEL (id VARCHAR(36)", $c, " NOT NULL, project BIGINT NOT NULL, name VARCHAR(100)", $c, " NOT NULL, ",
            "kind VARCHAR(10)", $c, " NOT NULL, what ", $long, " NOT NULL, sealed ", $long, " NOT NULL, state VARCHAR(8)", $c, " NOT NULL, ",
            "version BIGINT NOT NULL, PRIMARY KEY (id))", $table, ";\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_CHANNEL_NAME ON CLOCKWRIGHT_CHANNEL (project, name);\n",
            // One row for each alert of a message; the message is sent as one.
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_DELIVERY (id VARCHAR(36)", $c, " NOT NULL, message VARCHAR(36)", $c, " NOT NULL, ",
            "channel VARCHAR(36)", $c, " NOT NULL, project BIGINT NOT NULL, alert VARCHAR(36)", $c, " NOT NULL, kind VARCHAR(7)", $c, " NOT NULL, ",
            "number BIGINT NOT NULL, at BIGINT NOT NULL, state VARCHAR(7)", $c, " NOT NULL, tries BIGINT NOT NULL, next BIGINT NOT NULL, ",
            "body ", $long, " NOT NULL, error VARCHAR(500)", $c, " NOT NULL, sent BIGINT, ",
            "PRIMARY KEY (id))", $table, ";\n",
            "CREATE UNIQUE INDEX CLOCKWRIGHT_DELIVERY_ONCE ON CLOCKWRIGHT_DELIVERY (channel, alert, kind, number);\n",
            "CREATE INDEX CLOCKWRIGHT_DELIVERY_STATE ON CLOCKWRIGHT_DELIVERY (state, next);\n",
            "CREATE INDEX CLOCKWRIGHT_DELIVERY_ALERT ON CLOCKWRIGHT_DELIVERY (alert);\n",
            "CREATE INDEX CLOCKWRIGHT_DELIVERY_MESSAGE ON CLOCKWRIGHT_DELIVERY (message);\n",
            "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_KEY (id VARCHAR(16)", $c, " NOT NULL, at BIGINT NOT NULL, proof VARCHAR(200)", $c, " NOT NULL, ",
            "PRIMARY KEY (id))", $table, ";\n",
        )
    };
}
use tables;

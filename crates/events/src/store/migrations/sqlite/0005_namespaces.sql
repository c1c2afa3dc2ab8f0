-- The registry's namespace; rows of versions that kept none have the empty one. The key holds it too. Then why, as a code with its
-- parameters in JSON; and when the run was claimed.
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN reason_code TEXT;
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN reason_params TEXT;
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN claimed_at INTEGER;
-- One index serves a job and one of its items: namespace and item are compared inside of it.
DROP INDEX CLOCKWRIGHT_RUN_ITEM_FIRE;
DROP INDEX CLOCKWRIGHT_RUN_JOB_FIRE;
CREATE INDEX CLOCKWRIGHT_RUN_JOB_FIRE ON CLOCKWRIGHT_RUN (job_name, fire_time, run_key, namespace, sharding_item);
DROP INDEX CLOCKWRIGHT_RUN_RANGE;
CREATE INDEX CLOCKWRIGHT_RUN_RANGE ON CLOCKWRIGHT_RUN (job_name, fire_time, namespace) WHERE range_from IS NOT NULL;
DROP INDEX CLOCKWRIGHT_RUN_JOB_BAD;
CREATE INDEX CLOCKWRIGHT_RUN_JOB_BAD ON CLOCKWRIGHT_RUN (job_name, fire_time, run_key, namespace) WHERE outcome <> 'succeeded';

-- Counts of all jobs have neither namespace nor job, those of a namespace no job.
ALTER TABLE CLOCKWRIGHT_STATISTICS RENAME TO CLOCKWRIGHT_STATISTICS_4;
CREATE TABLE CLOCKWRIGHT_STATISTICS (
    namespace TEXT NOT NULL,
    job_name TEXT NOT NULL,
    width TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    coalesced INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    PRIMARY KEY (job_name, namespace, width, at_ms)
) WITHOUT ROWID;
INSERT INTO CLOCKWRIGHT_STATISTICS
    SELECT '', job_name, width, at_ms, succeeded, failed, skipped, coalesced, missed, cancelled FROM CLOCKWRIGHT_STATISTICS_4;
DROP TABLE CLOCKWRIGHT_STATISTICS_4;
CREATE INDEX CLOCKWRIGHT_STATISTICS_AGE ON CLOCKWRIGHT_STATISTICS (width, at_ms);

-- How each item stands: its newest outcome, how often it failed in a row, when it last succeeded, and its greatest token.
CREATE TABLE CLOCKWRIGHT_ITEM_STATE (
    namespace TEXT NOT NULL,
    job_name TEXT NOT NULL,
    sharding_item INTEGER NOT NULL,
    fire_time INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    failure_kind TEXT NULL,
    reason_code TEXT NULL,
    run_id TEXT NULL,
    start_ms INTEGER NULL,
    decided_ms INTEGER NOT NULL,
    took_ms INTEGER NULL,
    streak INTEGER NOT NULL,
    good_ms INTEGER NULL,
    changed_ms INTEGER NOT NULL,
    token INTEGER NOT NULL,
    PRIMARY KEY (job_name, namespace, sharding_item)
) WITHOUT ROWID;
CREATE INDEX CLOCKWRIGHT_ITEM_STATE_CHANGED ON CLOCKWRIGHT_ITEM_STATE (changed_ms);
INSERT OR IGNORE INTO CLOCKWRIGHT_ITEM_STATE
    SELECT r.namespace, r.job_name, r.sharding_item, r.fire_time, r.outcome, r.failure_kind, NULL, r.run_id, r.start_ms, r.decided_ms,
        CASE WHEN r.outcome = 'succeeded' THEN r.decided_ms - r.start_ms END, CASE WHEN r.outcome = 'failed' THEN 1 ELSE 0 END, l.good,
        r.decided_ms, l.token
    FROM CLOCKWRIGHT_RUN r JOIN (
        SELECT job_name, sharding_item, MAX(fire_time) AS newest, MAX(CASE WHEN outcome = 'succeeded' THEN decided_ms END) AS good,
            MAX(token) AS token
        FROM CLOCKWRIGHT_RUN GROUP BY job_name, sharding_item
    ) l ON l.job_name = r.job_name AND l.sharding_item = r.sharding_item AND l.newest = r.fire_time;

-- How long successes of an item took: a few numbers from which quantiles are read.
CREATE TABLE CLOCKWRIGHT_DURATION (
    namespace TEXT NOT NULL,
    job_name TEXT NOT NULL,
    sharding_item INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (job_name, namespace, sharding_item)
) WITHOUT ROWID;

-- What a batch adds to the counts, until it is folded into them.
CREATE TABLE CLOCKWRIGHT_COUNTING (id INTEGER PRIMARY KEY AUTOINCREMENT, counts TEXT NOT NULL);

-- Which outcomes a batch stored, for a few minutes: the end of the history, for those who follow it.
CREATE TABLE CLOCKWRIGHT_TAIL (id INTEGER PRIMARY KEY AUTOINCREMENT, stored_ms INTEGER NOT NULL, run_keys TEXT NOT NULL);

-- Who came and went, and who held jobs. A row without a job concerns all jobs of an instance.
CREATE TABLE CLOCKWRIGHT_CHANGE (
    change_key TEXT NOT NULL PRIMARY KEY,
    namespace TEXT NOT NULL,
    job_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    by_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    witness TEXT NOT NULL
);
CREATE INDEX CLOCKWRIGHT_CHANGE_JOB ON CLOCKWRIGHT_CHANGE (job_name, at_ms);
CREATE INDEX CLOCKWRIGHT_CHANGE_AGE ON CLOCKWRIGHT_CHANGE (at_ms);

-- Which store this is: one row, made with it. Instances announce it, so that whoever asks one store knows who writes into another.
CREATE TABLE CLOCKWRIGHT_STORE (id TEXT NOT NULL PRIMARY KEY);
INSERT INTO CLOCKWRIGHT_STORE (id) VALUES (lower(hex(randomblob(16))));

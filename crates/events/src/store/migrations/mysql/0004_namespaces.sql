-- As before, every statement can be run again.
-- The registry's namespace; rows of versions that kept none have the empty one. The key holds it too. Then why, as a code with its
-- parameters in JSON; and when the run was claimed.
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN namespace VARCHAR(200) NOT NULL DEFAULT '';
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN reason_code VARCHAR(40) NULL;
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN reason_params MEDIUMTEXT NULL;
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN claimed_at BIGINT NULL;
-- One index serves a job and one of its items: namespace and item are compared inside of it. What has one outcome is found among what
-- did not succeed.
CREATE INDEX CLOCKWRIGHT_RUN_JOB_TIME ON CLOCKWRIGHT_RUN (job_name, fire_time, run_key, namespace, sharding_item);
DROP INDEX CLOCKWRIGHT_RUN_ITEM_FIRE ON CLOCKWRIGHT_RUN;
DROP INDEX CLOCKWRIGHT_RUN_JOB_FIRE ON CLOCKWRIGHT_RUN;
DROP INDEX CLOCKWRIGHT_RUN_BAD ON CLOCKWRIGHT_RUN;
CREATE INDEX CLOCKWRIGHT_RUN_JOB_RANGE ON CLOCKWRIGHT_RUN (job_name, range_from, namespace);
DROP INDEX CLOCKWRIGHT_RUN_RANGE ON CLOCKWRIGHT_RUN;

-- Counts of all jobs have neither namespace nor job, those of a namespace no job. One statement: it is done or not.
ALTER TABLE CLOCKWRIGHT_STATISTICS ADD COLUMN namespace VARCHAR(200) NOT NULL DEFAULT '', DROP PRIMARY KEY,
    ADD PRIMARY KEY (job_name, namespace, width, at_ms);

-- How each item stands: its newest outcome, how often it failed in a row, when it last succeeded, and its greatest token.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_ITEM_STATE (
    namespace VARCHAR(200) NOT NULL,
    job_name VARCHAR(100) NOT NULL,
    sharding_item BIGINT NOT NULL,
    fire_time BIGINT NOT NULL,
    outcome VARCHAR(20) NOT NULL,
    failure_kind VARCHAR(20) NULL,
    reason_code VARCHAR(40) NULL,
    run_id VARCHAR(40) NULL,
    start_ms BIGINT NULL,
    decided_ms BIGINT NOT NULL,
    took_ms BIGINT NULL,
    streak BIGINT NOT NULL,
    good_ms BIGINT NULL,
    changed_ms BIGINT NOT NULL,
    token BIGINT NOT NULL,
    PRIMARY KEY (job_name, namespace, sharding_item)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE INDEX CLOCKWRIGHT_ITEM_STATE_CHANGED ON CLOCKWRIGHT_ITEM_STATE (changed_ms);
INSERT IGNORE INTO CLOCKWRIGHT_ITEM_STATE
    SELECT r.namespace, r.job_name, r.sharding_item, r.fire_time, r.outcome, r.failure_kind, NULL, r.run_id, r.start_ms, r.decided_ms,
        CASE WHEN r.outcome = 'succeeded' THEN r.decided_ms - r.start_ms END, CASE WHEN r.outcome = 'failed' THEN 1 ELSE 0 END, l.good,
        r.decided_ms, l.token
    FROM CLOCKWRIGHT_RUN r JOIN (
        SELECT job_name, sharding_item, MAX(fire_time) AS newest, MAX(CASE WHEN outcome = 'succeeded' THEN decided_ms END) AS good,
            MAX(token) AS token
        FROM CLOCKWRIGHT_RUN GROUP BY job_name, sharding_item
    ) l ON l.job_name = r.job_name AND l.sharding_item = r.sharding_item AND l.newest = r.fire_time;

-- How long successes of an item took: a few numbers from which quantiles are read.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_DURATION (
    namespace VARCHAR(200) NOT NULL,
    job_name VARCHAR(100) NOT NULL,
    sharding_item BIGINT NOT NULL,
    digest VARCHAR(4000) NOT NULL,
    PRIMARY KEY (job_name, namespace, sharding_item)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;

-- What a batch adds to the counts, until it is folded into them.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_COUNTING (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, counts MEDIUMTEXT NOT NULL) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;

-- Which outcomes a batch stored, for a few minutes: the end of the history, for those who follow it.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_TAIL (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    stored_ms BIGINT NOT NULL,
    run_keys MEDIUMTEXT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;

-- Who came and went, and who held jobs. A row without a job concerns all jobs of an instance.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_CHANGE (
    change_key VARCHAR(255) NOT NULL PRIMARY KEY,
    namespace VARCHAR(200) NOT NULL,
    job_name VARCHAR(100) NOT NULL,
    kind VARCHAR(20) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    at_ms BIGINT NOT NULL,
    by_name VARCHAR(255) NOT NULL,
    reason VARCHAR(4000) NOT NULL,
    witness VARCHAR(255) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE INDEX CLOCKWRIGHT_CHANGE_JOB ON CLOCKWRIGHT_CHANGE (job_name, at_ms);
CREATE INDEX CLOCKWRIGHT_CHANGE_AGE ON CLOCKWRIGHT_CHANGE (at_ms);

-- Which store this is: one row, made with it. Instances announce it, so that whoever asks one store knows who writes into another.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_STORE (id VARCHAR(36) NOT NULL PRIMARY KEY)
    ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
INSERT INTO CLOCKWRIGHT_STORE (id) SELECT REPLACE(UUID(), '-', '') FROM DUAL
    WHERE NOT EXISTS (SELECT 1 FROM CLOCKWRIGHT_STORE);

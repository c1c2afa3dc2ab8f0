-- Elastic-Job's two tables, with its names and columns (SQLite keeps times as text, UTC, `YYYY-MM-DD HH:MM:SS.mmm`).
CREATE TABLE JOB_EXECUTION_LOG (
    id VARCHAR(40) NOT NULL PRIMARY KEY,
    job_name VARCHAR(100) NOT NULL,
    task_id VARCHAR(255) NOT NULL,
    hostname VARCHAR(255) NOT NULL,
    ip VARCHAR(50) NOT NULL,
    sharding_item INT NOT NULL,
    execution_source VARCHAR(20) NOT NULL,
    failure_cause VARCHAR(4000) NULL,
    is_success INT NOT NULL,
    start_time TEXT NULL,
    complete_time TEXT NULL
);
CREATE INDEX JOB_EXECUTION_LOG_JOB_START ON JOB_EXECUTION_LOG (job_name, start_time);
CREATE INDEX JOB_EXECUTION_LOG_START ON JOB_EXECUTION_LOG (start_time);

CREATE TABLE JOB_STATUS_TRACE_LOG (
    id VARCHAR(40) NOT NULL PRIMARY KEY,
    job_name VARCHAR(100) NOT NULL,
    original_task_id VARCHAR(255) NOT NULL,
    task_id VARCHAR(255) NOT NULL,
    slave_id VARCHAR(50) NOT NULL,
    source VARCHAR(50) NOT NULL,
    execution_type VARCHAR(20) NOT NULL,
    sharding_item VARCHAR(100) NOT NULL,
    state VARCHAR(20) NOT NULL,
    message VARCHAR(4000) NULL,
    creation_time TEXT NULL
);
CREATE INDEX TASK_ID_STATE_INDEX ON JOB_STATUS_TRACE_LOG (task_id, state);

-- The one outcome of each fire of each item. Times are epoch milliseconds.
CREATE TABLE CLOCKWRIGHT_RUN (
    key TEXT NOT NULL PRIMARY KEY,
    job_name TEXT NOT NULL,
    sharding_item INTEGER NOT NULL,
    fire TEXT NOT NULL,
    fire_time INTEGER NOT NULL,
    range_from INTEGER NULL,
    range_count INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    failure_kind TEXT NULL,
    reason TEXT NOT NULL,
    coalesced_into TEXT NULL,
    attempt INTEGER NOT NULL,
    run_id TEXT NULL,
    token INTEGER NOT NULL,
    source TEXT NOT NULL,
    instance TEXT NOT NULL,
    start_ms INTEGER NULL,
    decided_ms INTEGER NOT NULL
);
CREATE INDEX CLOCKWRIGHT_RUN_FIRE ON CLOCKWRIGHT_RUN (fire_time);
CREATE INDEX CLOCKWRIGHT_RUN_JOB_FIRE ON CLOCKWRIGHT_RUN (job_name, fire_time);
CREATE INDEX CLOCKWRIGHT_RUN_ITEM_FIRE ON CLOCKWRIGHT_RUN (job_name, sharding_item, fire_time);
CREATE INDEX CLOCKWRIGHT_RUN_RUN_ID ON CLOCKWRIGHT_RUN (run_id) WHERE run_id IS NOT NULL;
-- Ranges are rare; with this index a ledger finds the one that reaches over its end.
CREATE INDEX CLOCKWRIGHT_RUN_RANGE ON CLOCKWRIGHT_RUN (job_name, fire_time) WHERE range_from IS NOT NULL;

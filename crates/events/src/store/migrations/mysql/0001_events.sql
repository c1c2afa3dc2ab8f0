-- Every statement can be run again: MySQL commits each by itself, so a step may have been done in part. An index that is
-- there already is passed over by the program, because MySQL has no `CREATE INDEX IF NOT EXISTS`.
-- Tables that Elastic-Job made are used as they are, indexes are added to them. Its TIMESTAMP holds whole seconds; in tables
-- made here it holds milliseconds, which its own statements read and write as well.
CREATE TABLE IF NOT EXISTS JOB_EXECUTION_LOG (
    id VARCHAR(40) NOT NULL PRIMARY KEY,
    job_name VARCHAR(100) NOT NULL,
    task_id VARCHAR(255) NOT NULL,
    hostname VARCHAR(255) NOT NULL,
    ip VARCHAR(50) NOT NULL,
    sharding_item INT NOT NULL,
    execution_source VARCHAR(20) NOT NULL,
    failure_cause VARCHAR(4000) NULL,
    is_success INT NOT NULL,
    start_time TIMESTAMP(3) NULL,
    complete_time TIMESTAMP(3) NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE INDEX JOB_EXECUTION_LOG_JOB_START ON JOB_EXECUTION_LOG (job_name, start_time);
CREATE INDEX JOB_EXECUTION_LOG_START ON JOB_EXECUTION_LOG (start_time);

CREATE TABLE IF NOT EXISTS JOB_STATUS_TRACE_LOG (
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
    creation_time TIMESTAMP(3) NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE INDEX TASK_ID_STATE_INDEX ON JOB_STATUS_TRACE_LOG (task_id, state);
CREATE INDEX JOB_STATUS_TRACE_LOG_CREATION ON JOB_STATUS_TRACE_LOG (creation_time);
CREATE INDEX JOB_STATUS_TRACE_LOG_JOB_CREATION ON JOB_STATUS_TRACE_LOG (job_name, creation_time);

-- The one outcome of each fire of each item. Times are epoch milliseconds. `batch` names the batch that wrote the row, so
-- that a batch knows which rows of its own are new.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_RUN (
    run_key VARCHAR(255) NOT NULL PRIMARY KEY,
    job_name VARCHAR(100) NOT NULL,
    sharding_item BIGINT NOT NULL,
    fire VARCHAR(255) NOT NULL,
    fire_time BIGINT NOT NULL,
    range_from BIGINT NULL,
    range_count BIGINT NOT NULL,
    outcome VARCHAR(20) NOT NULL,
    failure_kind VARCHAR(20) NULL,
    reason VARCHAR(4000) NOT NULL,
    coalesced_into VARCHAR(255) NULL,
    attempt BIGINT NOT NULL,
    run_id VARCHAR(40) NULL,
    token BIGINT NOT NULL,
    source VARCHAR(20) NOT NULL,
    instance VARCHAR(255) NOT NULL,
    start_ms BIGINT NULL,
    decided_ms BIGINT NOT NULL,
    batch BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE INDEX CLOCKWRIGHT_RUN_FIRE ON CLOCKWRIGHT_RUN (fire_time, run_key);
CREATE INDEX CLOCKWRIGHT_RUN_JOB_FIRE ON CLOCKWRIGHT_RUN (job_name, fire_time, run_key);
CREATE INDEX CLOCKWRIGHT_RUN_ITEM_FIRE ON CLOCKWRIGHT_RUN (job_name, sharding_item, fire_time, run_key);
CREATE INDEX CLOCKWRIGHT_RUN_RUN_ID ON CLOCKWRIGHT_RUN (run_id);
-- Ranges are rare; with this index a ledger finds the one that reaches over its end.
CREATE INDEX CLOCKWRIGHT_RUN_RANGE ON CLOCKWRIGHT_RUN (job_name, range_from);

-- Elastic-Job-Cloud's counts of results, with its names and columns.
CREATE TABLE IF NOT EXISTS TASK_RESULT_STATISTICS_MINUTE (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    success_count INT NOT NULL,
    failed_count INT NOT NULL,
    statistics_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    creation_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE UNIQUE INDEX TASK_RESULT_STATISTICS_MINUTE_TIME ON TASK_RESULT_STATISTICS_MINUTE (statistics_time);
CREATE TABLE IF NOT EXISTS TASK_RESULT_STATISTICS_HOUR (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    success_count INT NOT NULL,
    failed_count INT NOT NULL,
    statistics_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    creation_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE UNIQUE INDEX TASK_RESULT_STATISTICS_HOUR_TIME ON TASK_RESULT_STATISTICS_HOUR (statistics_time);
CREATE TABLE IF NOT EXISTS TASK_RESULT_STATISTICS_DAY (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    success_count INT NOT NULL,
    failed_count INT NOT NULL,
    statistics_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    creation_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE UNIQUE INDEX TASK_RESULT_STATISTICS_DAY_TIME ON TASK_RESULT_STATISTICS_DAY (statistics_time);

-- Counts of outcomes: of all jobs (`job_name` is empty) by minute, hour and day, of each job by hour and day.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_STATISTICS (
    job_name VARCHAR(100) NOT NULL,
    width VARCHAR(10) NOT NULL,
    at_ms BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    coalesced BIGINT NOT NULL,
    missed BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    PRIMARY KEY (job_name, width, at_ms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE INDEX CLOCKWRIGHT_STATISTICS_AGE ON CLOCKWRIGHT_STATISTICS (width, at_ms);

-- What could not be kept: how many events, of what kind, and from when to when.
CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_DROPPED (
    id VARCHAR(40) NOT NULL PRIMARY KEY,
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    statuses BIGINT NOT NULL,
    executions BIGINT NOT NULL,
    settlements BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    reason VARCHAR(4000) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;
CREATE INDEX CLOCKWRIGHT_DROPPED_TO ON CLOCKWRIGHT_DROPPED (to_ms);

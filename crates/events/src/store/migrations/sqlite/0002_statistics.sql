-- `key` is a reserved word of other databases, and the column has one name in all of them.
ALTER TABLE CLOCKWRIGHT_RUN RENAME COLUMN key TO run_key;
-- Names the batch that wrote the row, so that a batch knows which rows of its own are new.
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
CREATE INDEX JOB_STATUS_TRACE_LOG_CREATION ON JOB_STATUS_TRACE_LOG (creation_time);
CREATE INDEX JOB_STATUS_TRACE_LOG_JOB_CREATION ON JOB_STATUS_TRACE_LOG (job_name, creation_time);

-- Elastic-Job-Cloud's counts of results, with its names and columns.
CREATE TABLE TASK_RESULT_STATISTICS_MINUTE (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    success_count INT NOT NULL,
    failed_count INT NOT NULL,
    statistics_time TEXT NOT NULL,
    creation_time TEXT NOT NULL
);
CREATE UNIQUE INDEX TASK_RESULT_STATISTICS_MINUTE_TIME ON TASK_RESULT_STATISTICS_MINUTE (statistics_time);
CREATE TABLE TASK_RESULT_STATISTICS_HOUR (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    success_count INT NOT NULL,
    failed_count INT NOT NULL,
    statistics_time TEXT NOT NULL,
    creation_time TEXT NOT NULL
);
CREATE UNIQUE INDEX TASK_RESULT_STATISTICS_HOUR_TIME ON TASK_RESULT_STATISTICS_HOUR (statistics_time);
CREATE TABLE TASK_RESULT_STATISTICS_DAY (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    success_count INT NOT NULL,
    failed_count INT NOT NULL,
    statistics_time TEXT NOT NULL,
    creation_time TEXT NOT NULL
);
CREATE UNIQUE INDEX TASK_RESULT_STATISTICS_DAY_TIME ON TASK_RESULT_STATISTICS_DAY (statistics_time);

-- Counts of outcomes: of all jobs (`job_name` is empty) by minute, hour and day, of each job by hour and day.
CREATE TABLE CLOCKWRIGHT_STATISTICS (
    job_name TEXT NOT NULL,
    width TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    coalesced INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    PRIMARY KEY (job_name, width, at_ms)
) WITHOUT ROWID;
CREATE INDEX CLOCKWRIGHT_STATISTICS_AGE ON CLOCKWRIGHT_STATISTICS (width, at_ms);

-- What could not be kept: how many events, of what kind, and from when to when.
CREATE TABLE CLOCKWRIGHT_DROPPED (
    id TEXT NOT NULL PRIMARY KEY,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    statuses INTEGER NOT NULL,
    executions INTEGER NOT NULL,
    settlements INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX CLOCKWRIGHT_DROPPED_TO ON CLOCKWRIGHT_DROPPED (to_ms);

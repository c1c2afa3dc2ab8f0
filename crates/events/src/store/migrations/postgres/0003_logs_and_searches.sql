-- Where the log of the deciding run is, on the machine of the instance.
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN IF NOT EXISTS log_position VARCHAR(100) NULL;
-- What has not ended is very little of what has not succeeded.
CREATE INDEX IF NOT EXISTS JOB_EXECUTION_LOG_OPEN ON JOB_EXECUTION_LOG (start_time DESC NULLS LAST, id DESC)
    WHERE is_success = FALSE AND complete_time IS NULL AND failure_cause IS NULL;

-- Where the log of the deciding run is, on the machine of the instance.
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN log_position TEXT;
-- What has not ended is very little of what has not succeeded.
CREATE INDEX JOB_EXECUTION_LOG_OPEN ON JOB_EXECUTION_LOG (start_time, id)
    WHERE is_success = 0 AND complete_time IS NULL AND failure_cause IS NULL;

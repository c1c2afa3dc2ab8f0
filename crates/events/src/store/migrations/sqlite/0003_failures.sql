-- What did not succeed is what people look for, and rare: with these a page of it is found however long the history is.
CREATE INDEX CLOCKWRIGHT_RUN_BAD ON CLOCKWRIGHT_RUN (fire_time, run_key) WHERE outcome <> 'succeeded';
CREATE INDEX CLOCKWRIGHT_RUN_JOB_BAD ON CLOCKWRIGHT_RUN (job_name, fire_time, run_key) WHERE outcome <> 'succeeded';
CREATE INDEX CLOCKWRIGHT_RUN_INSTANCE ON CLOCKWRIGHT_RUN (instance, fire_time, run_key);
-- The same for attempts that failed or have not ended.
CREATE INDEX JOB_EXECUTION_LOG_BAD ON JOB_EXECUTION_LOG (start_time, id) WHERE is_success = 0;

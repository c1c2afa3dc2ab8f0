-- Where the log of the deciding run is, on the machine of the instance.
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN log_position VARCHAR(100) NULL;
-- What did not succeed, whatever its outcome is, in the order of time: MySQL has no index of some rows only, and an order that several
-- outcomes share needs a column of its own, which takes no room in the table.
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN is_bad TINYINT GENERATED ALWAYS AS (outcome <> 'succeeded') VIRTUAL;
CREATE INDEX CLOCKWRIGHT_RUN_IS_BAD ON CLOCKWRIGHT_RUN (is_bad, fire_time, run_key);
-- What has not ended is very little of what has not succeeded.
CREATE INDEX JOB_EXECUTION_LOG_OPEN ON JOB_EXECUTION_LOG (complete_time, start_time);

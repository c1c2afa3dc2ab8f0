-- Where the log of the deciding run is, on the machine of the instance.
ALTER TABLE CLOCKWRIGHT_RUN ADD COLUMN log_position VARCHAR(100) NULL;

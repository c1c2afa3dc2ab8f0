package peer;

import com.dangdang.ddframe.job.event.JobEventBus;
import com.dangdang.ddframe.job.event.rdb.JobEventRdbConfiguration;
import com.dangdang.ddframe.job.event.type.JobExecutionEvent;
import com.dangdang.ddframe.job.event.type.JobExecutionEvent.ExecutionSource;
import org.apache.commons.dbcp2.BasicDataSource;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * What Elastic-Job's own event listener stores: posts the start and the end of many runs to its bus, and waits until the
 * database has all of them.
 *
 * <p>{@code --url URL --user USER --password PASSWORD --runs N}: prints one line, {@code events SECONDS}. The listener makes its
 * tables by itself. Its bus has two threads for each processor, and the pool a connection for each of them.
 */
public final class Trace {
    private static final long PATIENCE_MILLIS = 600_000;

    private Trace() {
    }

    public static void main(String[] args) throws Exception {
        Args options = new Args(args, 0);
        int runs = options.number("runs", 1000);
        try (BasicDataSource pool = new BasicDataSource()) {
            pool.setDriverClassName("com.mysql.jdbc.Driver");
            pool.setUrl(options.need("url"));
            pool.setUsername(options.need("user"));
            pool.setPassword(options.need("password"));
            pool.setMaxTotal(2 * Runtime.getRuntime().availableProcessors() + 1);
            pool.setMaxIdle(pool.getMaxTotal());
            JobEventBus bus = new JobEventBus(new JobEventRdbConfiguration(pool));
            // Classes are loaded, statements known and connections open before the clock starts.
            post(bus, "warm-up", runs / 10 + 1);
            await(pool, "warm-up", runs / 10 + 1);
            long begin = System.nanoTime();
            post(bus, "trace", runs);
            await(pool, "trace", runs);
            double seconds = (System.nanoTime() - begin) / 1e9;
            System.out.println(2L * runs + " " + seconds);
        }
        // The bus's threads are no daemons.
        System.exit(0);
    }

    private static void post(JobEventBus bus, String job, int runs) {
        for (int run = 0; run < runs; run++) {
            int item = run % 10;
            String task = job + "@-@0,1,2,3,4,5,6,7,8,9@-@READY@-@127.0.0.1@-@" + run / 10;
            JobExecutionEvent start = new JobExecutionEvent(task, job, ExecutionSource.NORMAL_TRIGGER, item);
            bus.post(start);
            bus.post(start.executionSuccess());
        }
    }

    private static void await(BasicDataSource pool, String job, int runs) throws SQLException, InterruptedException {
        long deadline = System.currentTimeMillis() + PATIENCE_MILLIS;
        String count = "SELECT COUNT(*) FROM JOB_EXECUTION_LOG WHERE is_success = 1 AND job_name = '" + job + "'";
        try (Connection connection = pool.getConnection(); Statement statement = connection.createStatement()) {
            while (true) {
                try (ResultSet found = statement.executeQuery(count)) {
                    found.next();
                    if (found.getInt(1) >= runs) {
                        return;
                    }
                }
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException("not all runs were stored in time");
                }
                Thread.sleep(50);
            }
        }
    }
}

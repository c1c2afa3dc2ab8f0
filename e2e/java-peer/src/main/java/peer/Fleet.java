package peer;

import com.dangdang.ddframe.job.api.ShardingContext;
import com.dangdang.ddframe.job.api.simple.SimpleJob;
import com.dangdang.ddframe.job.config.JobCoreConfiguration;
import com.dangdang.ddframe.job.config.simple.SimpleJobConfiguration;
import com.dangdang.ddframe.job.lite.api.JobScheduler;
import com.dangdang.ddframe.job.lite.config.LiteJobConfiguration;
import com.dangdang.ddframe.job.reg.zookeeper.ZookeeperConfiguration;
import com.dangdang.ddframe.job.reg.zookeeper.ZookeeperRegistryCenter;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * Many jobs in one real Elastic-Job 2.1.5 process, for measurements beside it: they do nothing but note that they were
 * started. They share one registry connection and are started one after another, as a Spring context does it.
 *
 * <p>{@code --zk HOSTS --namespace NS --session-ms N --jobs N --items N --period N [--spread] --starts FILE [--no-monitor]}.
 * Job {@code fleet-K} fires every {@code period} seconds; with {@code --spread} in second {@code K % period} of it, else all
 * in its first. Says {@code ready} on stdout once all are scheduled.
 *
 * <p>The file gets 16 bytes for each start, big-endian: number of the job, item, microseconds since 1970.
 */
public final class Fleet {
    private static FileChannel starts;

    private Fleet() {
    }

    public static void main(String[] arguments) throws Exception {
        Args args = new Args(arguments, 0);
        starts = FileChannel.open(Path.of(args.need("starts")), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        ZookeeperConfiguration config = new ZookeeperConfiguration(args.need("zk"), args.need("namespace"));
        config.setSessionTimeoutMilliseconds(args.number("session-ms", 4_000));
        ZookeeperRegistryCenter registry = new ZookeeperRegistryCenter(config);
        registry.init();
        int period = args.number("period", 10);
        for (int job = 0; job < args.number("jobs", 1); job++) {
            String cron = (args.has("spread") ? job % period : 0) + "/" + period + " * * * * ?";
            JobCoreConfiguration core =
                    JobCoreConfiguration.newBuilder("fleet-" + job, cron, args.number("items", 1)).build();
            LiteJobConfiguration lite =
                    LiteJobConfiguration.newBuilder(new SimpleJobConfiguration(core, Noted.class.getName()))
                            .monitorExecution(!args.has("no-monitor"))
                            .build();
            new JobScheduler(registry, lite).init();
        }
        System.out.println("ready");
        Thread.currentThread().join();
    }

    /** Notes that it was started. */
    public static final class Noted implements SimpleJob {
        @Override
        public void execute(ShardingContext context) {
            long micros = ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now());
            int job = Integer.parseInt(context.getJobName().substring("fleet-".length()));
            ByteBuffer note = ByteBuffer.allocate(16).putInt(job).putInt(context.getShardingItem()).putLong(micros);
            try {
                starts.write(note.flip());
            } catch (IOException error) {
                throw new IllegalStateException("cannot note a start", error);
            }
        }
    }
}

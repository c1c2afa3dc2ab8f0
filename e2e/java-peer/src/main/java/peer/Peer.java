package peer;

import com.dangdang.ddframe.job.config.JobCoreConfiguration;
import com.dangdang.ddframe.job.config.JobTypeConfiguration;
import com.dangdang.ddframe.job.config.dataflow.DataflowJobConfiguration;
import com.dangdang.ddframe.job.config.script.ScriptJobConfiguration;
import com.dangdang.ddframe.job.config.simple.SimpleJobConfiguration;
import com.dangdang.ddframe.job.event.rdb.JobEventRdbConfiguration;
import com.dangdang.ddframe.job.executor.ShardingContexts;
import com.dangdang.ddframe.job.lite.api.JobScheduler;
import com.dangdang.ddframe.job.lite.api.listener.AbstractDistributeOnceElasticJobListener;
import com.dangdang.ddframe.job.lite.api.listener.ElasticJobListener;
import com.dangdang.ddframe.job.lite.config.LiteJobConfiguration;
import com.dangdang.ddframe.job.reg.zookeeper.ZookeeperConfiguration;
import com.dangdang.ddframe.job.reg.zookeeper.ZookeeperRegistryCenter;

import org.apache.commons.dbcp2.BasicDataSource;

import java.io.IOException;
import java.nio.file.Path;

/**
 * One real Elastic-Job 2.1.5 instance, which runs one job, or several that are alike, until it is told to end.
 *
 * <p>{@code --zk HOSTS --namespace NS [--digest USER:PASSWORD] [--session-ms N] --job NAME,… --cron CRON --items N
 * --log FILE [--period-ms N] [--type simple|dataflow|script] [--command LINE] [--streaming] [--batches N] [--run-ms N]
 * [--fail-item I] [--failover] [--no-misfire] [--no-monitor] [--disabled] [--overwrite] [--monitor-port N]
 * [--max-time-diff N] [--strategy CLASS] [--item-parameters TEXT] [--job-parameter TEXT] [--once FILE]
 * [--once-timeout-ms N] [--events JDBC]}. Says {@code ready} on stdout once the job is registered.
 */
public final class Peer {
    private Peer() {
    }

    public static void main(String[] arguments) throws Exception {
        Args args = new Args(arguments, 0);
        Jobs.witness = new Witness(Path.of(args.need("log")), args.number("period-ms", 0));
        Jobs.runMillis = args.number("run-ms", 50);
        Jobs.failItem = args.number("fail-item", -1);
        Jobs.batches = args.number("batches", 1);
        ZookeeperRegistryCenter registry = connect(args);
        registry.init();
        for (String name : args.need("job").split(",")) {
            scheduler(registry, name, args).init();
        }
        System.out.println("ready");
        Thread.currentThread().join();
    }

    private static JobScheduler scheduler(ZookeeperRegistryCenter registry, String name, Args args) {
        if (!args.has("events")) {
            return new JobScheduler(registry, job(name, args), listeners(args));
        }
        BasicDataSource source = new BasicDataSource();
        source.setUrl(args.need("events"));
        return new JobScheduler(registry, job(name, args), new JobEventRdbConfiguration(source), listeners(args));
    }

    private static ZookeeperRegistryCenter connect(Args args) {
        ZookeeperConfiguration config = new ZookeeperConfiguration(args.need("zk"), args.need("namespace"));
        config.setSessionTimeoutMilliseconds(args.number("session-ms", 4_000));
        config.setConnectionTimeoutMilliseconds(args.number("session-ms", 4_000));
        if (args.has("digest")) {
            config.setDigest(args.need("digest"));
        }
        return new ZookeeperRegistryCenter(config);
    }

    private static LiteJobConfiguration job(String name, Args args) {
        JobCoreConfiguration core = JobCoreConfiguration
                .newBuilder(name, args.need("cron"), args.number("items", 1))
                .shardingItemParameters(args.text("item-parameters", ""))
                .jobParameter(args.text("job-parameter", ""))
                .failover(args.has("failover"))
                .misfire(!args.has("no-misfire"))
                .build();
        JobTypeConfiguration type = switch (args.text("type", "simple")) {
            case "simple" -> new SimpleJobConfiguration(core, Jobs.Simple.class.getName());
            case "dataflow" -> new DataflowJobConfiguration(core, Jobs.Dataflow.class.getName(), args.has("streaming"));
            case "script" -> new ScriptJobConfiguration(core, args.need("command"));
            default -> throw new IllegalArgumentException("--type is simple, dataflow or script");
        };
        return LiteJobConfiguration.newBuilder(type)
                .monitorExecution(!args.has("no-monitor"))
                .maxTimeDiffSeconds(args.number("max-time-diff", -1))
                .monitorPort(args.number("monitor-port", -1))
                .jobShardingStrategyClass(args.text("strategy", ""))
                .disabled(args.has("disabled"))
                .overwrite(args.has("overwrite"))
                .build();
    }

    private static ElasticJobListener[] listeners(Args args) {
        if (!args.has("once")) {
            return new ElasticJobListener[0];
        }
        Path notes = Path.of(args.need("once"));
        long timeout = args.number("once-timeout-ms", 10_000);
        return new ElasticJobListener[] {new Once(notes, timeout)};
    }

    /** Notes that it was called, once for a firing of the whole job. */
    private static final class Once extends AbstractDistributeOnceElasticJobListener {
        private final Path notes;

        Once(Path notes, long timeout) {
            super(timeout, timeout);
            this.notes = notes;
        }

        @Override
        public void doBeforeJobExecutedAtLastStarted(ShardingContexts contexts) {
            note("before", contexts);
        }

        @Override
        public void doAfterJobExecutedAtLastCompleted(ShardingContexts contexts) {
            note("after", contexts);
        }

        private void note(String kind, ShardingContexts contexts) {
            try {
                Jobs.witness.note(notes, kind, contexts.getJobName());
            } catch (IOException error) {
                throw new IllegalStateException("cannot write the notes", error);
            }
        }
    }
}

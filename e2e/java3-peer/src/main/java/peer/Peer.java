package peer;

import org.apache.shardingsphere.elasticjob.api.ElasticJob;
import org.apache.shardingsphere.elasticjob.api.JobConfiguration;
import org.apache.shardingsphere.elasticjob.lite.api.bootstrap.impl.OneOffJobBootstrap;
import org.apache.shardingsphere.elasticjob.lite.api.bootstrap.impl.ScheduleJobBootstrap;
import org.apache.shardingsphere.elasticjob.lite.internal.snapshot.SnapshotService;
import org.apache.shardingsphere.elasticjob.reg.base.CoordinatorRegistryCenter;
import org.apache.shardingsphere.elasticjob.reg.zookeeper.ZookeeperConfiguration;
import org.apache.shardingsphere.elasticjob.reg.zookeeper.ZookeeperRegistryCenter;

import java.nio.file.Path;

/**
 * One real ElasticJob 3.0.4 instance, which runs one job, or several that are alike, until it is told to end.
 *
 * <p>{@code --zk HOSTS --namespace NS [--digest USER:PASSWORD] [--session-ms N] --job NAME,… [--cron CRON] --items N
 * --log FILE [--period-ms N] [--type simple|dataflow|script] [--command LINE] [--streaming] [--batches N] [--run-ms N]
 * [--fail-item I] [--failover] [--no-misfire] [--no-monitor] [--disabled] [--overwrite] [--monitor-port N]
 * [--max-time-diff N] [--strategy TYPE] [--item-parameters TEXT] [--job-parameter TEXT] [--time-zone ZONE]
 * [--error-handler TYPE] [--executor TYPE] [--label TEXT] [--static-sharding]}. Without a cron it is a one-off job. Says
 * {@code ready} on stdout once the job is registered.
 */
public final class Peer {
    private Peer() {
    }

    public static void main(String[] arguments) throws Exception {
        Args args = new Args(arguments, 0);
        Jobs jobs = new Jobs(new Witness(Path.of(args.need("log")), args.number("period-ms", 0)), args);
        CoordinatorRegistryCenter registry = connect(args);
        registry.init();
        if (args.has("monitor-port")) {
            new SnapshotService(registry, args.number("monitor-port", 0)).listen();
        }
        for (String name : args.need("job").split(",")) {
            start(registry, jobs, name, args);
        }
        System.out.println("ready");
        Thread.currentThread().join();
    }

    private static CoordinatorRegistryCenter connect(Args args) {
        ZookeeperConfiguration config = new ZookeeperConfiguration(args.need("zk"), args.need("namespace"));
        config.setSessionTimeoutMilliseconds(args.number("session-ms", 4_000));
        config.setConnectionTimeoutMilliseconds(args.number("session-ms", 4_000));
        if (args.has("digest")) {
            config.setDigest(args.need("digest"));
        }
        return new ZookeeperRegistryCenter(config);
    }

    private static void start(CoordinatorRegistryCenter registry, Jobs jobs, String name, Args args) {
        JobConfiguration config = config(name, args);
        ElasticJob code = switch (args.text("type", "simple")) {
            case "simple" -> jobs.new Simple();
            case "dataflow" -> jobs.new Dataflow();
            case "script" -> null;
            default -> throw new IllegalArgumentException("--type is simple, dataflow or script");
        };
        boolean scheduled = args.has("cron");
        if (scheduled && code == null) {
            new ScheduleJobBootstrap(registry, "SCRIPT", config).schedule();
        } else if (scheduled) {
            new ScheduleJobBootstrap(registry, code, config).schedule();
        } else if (code == null) {
            new OneOffJobBootstrap(registry, "SCRIPT", config);
        } else {
            new OneOffJobBootstrap(registry, code, config);
        }
    }

    private static JobConfiguration config(String name, Args args) {
        JobConfiguration.Builder builder = JobConfiguration.newBuilder(name, args.number("items", 1))
                .shardingItemParameters(args.text("item-parameters", ""))
                .jobParameter(args.text("job-parameter", ""))
                .failover(args.has("failover"))
                .misfire(!args.has("no-misfire"))
                .monitorExecution(!args.has("no-monitor"))
                .maxTimeDiffSeconds(args.number("max-time-diff", -1))
                .disabled(args.has("disabled"))
                .overwrite(args.has("overwrite"))
                .staticSharding(args.has("static-sharding"));
        args.pass("cron", builder::cron);
        args.pass("time-zone", builder::timeZone);
        args.pass("strategy", builder::jobShardingStrategyType);
        args.pass("error-handler", builder::jobErrorHandlerType);
        args.pass("executor", builder::jobExecutorServiceHandlerType);
        args.pass("label", builder::label);
        args.pass("command", line -> builder.setProperty("script.command.line", line));
        if (args.has("streaming")) {
            builder.setProperty("streaming.process", "true");
        }
        return builder.build();
    }
}

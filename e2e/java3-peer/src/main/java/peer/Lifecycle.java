package peer;

import com.google.gson.Gson;
import org.apache.shardingsphere.elasticjob.infra.pojo.JobConfigurationPOJO;
import org.apache.shardingsphere.elasticjob.lite.lifecycle.api.JobAPIFactory;
import org.apache.shardingsphere.elasticjob.lite.lifecycle.api.JobConfigurationAPI;
import org.apache.shardingsphere.elasticjob.lite.lifecycle.api.JobOperateAPI;
import org.apache.shardingsphere.elasticjob.lite.lifecycle.api.ShardingOperateAPI;

/**
 * ElasticJob 3.0.4's lifecycle API: {@code COMMAND --zk HOSTS --namespace NS [--digest U:P] [--job NAME] [--ip ADDRESS]
 * [--item N]}, with the commands trigger, disable, enable, shutdown, remove, get, update ({@code [--items N] [--cron
 * CRON] [--job-parameter TEXT] [--failover BOOL] [--monitor BOOL]}), remove-settings, shard-disable, shard-enable, jobs,
 * servers, shards. Answers with JSON on stdout.
 */
public final class Lifecycle {
    private Lifecycle() {
    }

    public static void main(String[] arguments) {
        Args args = new Args(arguments, 1);
        String zk = args.need("zk");
        String namespace = args.need("namespace");
        String digest = args.text("digest", null);
        String job = args.text("job", null);
        String ip = args.text("ip", null);
        JobOperateAPI operate = JobAPIFactory.createJobOperateAPI(zk, namespace, digest);
        ShardingOperateAPI shards = JobAPIFactory.createShardingOperateAPI(zk, namespace, digest);
        JobConfigurationAPI settings = JobAPIFactory.createJobConfigurationAPI(zk, namespace, digest);
        Object answer = null;
        switch (arguments[0]) {
            case "trigger" -> operate.trigger(job);
            case "disable" -> operate.disable(job, ip);
            case "enable" -> operate.enable(job, ip);
            case "shutdown" -> operate.shutdown(job, ip);
            case "remove" -> operate.remove(job, ip);
            case "get" -> answer = settings.getJobConfiguration(job);
            case "update" -> update(settings, job, args);
            case "remove-settings" -> settings.removeJobConfiguration(job);
            case "shard-disable" -> shards.disable(job, args.need("item"));
            case "shard-enable" -> shards.enable(job, args.need("item"));
            case "jobs" -> answer =
                    JobAPIFactory.createJobStatisticsAPI(zk, namespace, digest).getAllJobsBriefInfo();
            case "servers" -> answer =
                    JobAPIFactory.createServerStatisticsAPI(zk, namespace, digest).getAllServersBriefInfo();
            case "shards" -> answer =
                    JobAPIFactory.createShardingStatisticsAPI(zk, namespace, digest).getShardingInfo(job);
            default -> throw new IllegalArgumentException("`" + arguments[0] + "` is no command");
        }
        if (answer != null) {
            System.out.println(new Gson().toJson(answer));
        }
        // The registry's threads would keep the process alive.
        System.exit(0);
    }

    private static void update(JobConfigurationAPI api, String job, Args args) {
        JobConfigurationPOJO settings = api.getJobConfiguration(job);
        settings.setShardingTotalCount(args.number("items", settings.getShardingTotalCount()));
        settings.setCron(args.text("cron", settings.getCron()));
        settings.setJobParameter(args.text("job-parameter", settings.getJobParameter()));
        if (args.has("failover")) {
            settings.setFailover(Boolean.parseBoolean(args.need("failover")));
        }
        if (args.has("monitor")) {
            settings.setMonitorExecution(Boolean.parseBoolean(args.need("monitor")));
        }
        api.updateJobConfiguration(settings);
    }
}

package peer;

import com.dangdang.ddframe.job.lite.lifecycle.api.JobAPIFactory;
import com.dangdang.ddframe.job.lite.lifecycle.api.JobOperateAPI;
import com.dangdang.ddframe.job.lite.lifecycle.api.JobSettingsAPI;
import com.dangdang.ddframe.job.lite.lifecycle.api.ShardingOperateAPI;
import com.dangdang.ddframe.job.lite.lifecycle.domain.JobBriefInfo;
import com.dangdang.ddframe.job.lite.lifecycle.domain.JobSettings;
import com.dangdang.ddframe.job.lite.lifecycle.domain.ServerBriefInfo;
import com.dangdang.ddframe.job.lite.lifecycle.domain.ShardingInfo;
import com.google.common.base.Optional;
import com.google.gson.Gson;

import java.util.Collection;

/**
 * Elastic-Job 2.1.5's lifecycle API, which is its console: {@code COMMAND --zk HOSTS --namespace NS [--digest U:P]
 * [--job NAME] [--ip ADDRESS] [--item N]}, with the commands trigger, disable, enable, shutdown, remove, get, update
 * ({@code [--items N] [--cron CRON]
 * [--job-parameter TEXT] [--failover BOOL] [--monitor BOOL] [--streaming BOOL]}), remove-settings, shard-disable, shard-enable, jobs,
 * servers, shards. Answers with JSON on stdout.
 */
public final class Lifecycle {
    private Lifecycle() {
    }

    public static void main(String[] arguments) {
        Args args = new Args(arguments, 1);
        String zk = args.need("zk");
        String namespace = args.need("namespace");
        Optional<String> digest = Optional.fromNullable(args.text("digest", null));
        Optional<String> job = Optional.fromNullable(args.text("job", null));
        Optional<String> ip = Optional.fromNullable(args.text("ip", null));
        JobOperateAPI operate = JobAPIFactory.createJobOperateAPI(zk, namespace, digest);
        ShardingOperateAPI shards = JobAPIFactory.createShardingOperateAPI(zk, namespace, digest);
        JobSettingsAPI settings = JobAPIFactory.createJobSettingsAPI(zk, namespace, digest);
        Object answer = null;
        switch (arguments[0]) {
            case "trigger" -> operate.trigger(job, ip);
            case "disable" -> operate.disable(job, ip);
            case "enable" -> operate.enable(job, ip);
            case "shutdown" -> operate.shutdown(job, ip);
            case "remove" -> operate.remove(job, ip);
            case "get" -> answer = settings.getJobSettings(job.get());
            case "update" -> update(settings, job.get(), args);
            case "remove-settings" -> settings.removeJobSettings(job.get());
            case "shard-disable" -> shards.disable(job.get(), args.need("item"));
            case "shard-enable" -> shards.enable(job.get(), args.need("item"));
            case "jobs" -> {
                Collection<JobBriefInfo> jobs =
                        JobAPIFactory.createJobStatisticsAPI(zk, namespace, digest).getAllJobsBriefInfo();
                answer = jobs;
            }
            case "servers" -> {
                Collection<ServerBriefInfo> servers =
                        JobAPIFactory.createServerStatisticsAPI(zk, namespace, digest).getAllServersBriefInfo();
                answer = servers;
            }
            case "shards" -> {
                Collection<ShardingInfo> infos =
                        JobAPIFactory.createShardingStatisticsAPI(zk, namespace, digest).getShardingInfo(job.get());
                answer = infos;
            }
            default -> throw new IllegalArgumentException("`" + arguments[0] + "` is no command");
        }
        if (answer != null) {
            System.out.println(new Gson().toJson(answer));
        }
        // The registry's threads would keep the process alive.
        System.exit(0);
    }

    private static void update(JobSettingsAPI api, String job, Args args) {
        JobSettings settings = api.getJobSettings(job);
        settings.setShardingTotalCount(args.number("items", settings.getShardingTotalCount()));
        settings.setCron(args.text("cron", settings.getCron()));
        settings.setJobParameter(args.text("job-parameter", settings.getJobParameter()));
        if (args.has("failover")) {
            settings.setFailover(Boolean.parseBoolean(args.need("failover")));
        }
        if (args.has("monitor")) {
            settings.setMonitorExecution(Boolean.parseBoolean(args.need("monitor")));
        }
        if (args.has("streaming")) {
            settings.setStreamingProcess(Boolean.parseBoolean(args.need("streaming")));
        }
        api.updateJobSettings(settings);
    }
}

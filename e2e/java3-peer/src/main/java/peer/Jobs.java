package peer;

import org.apache.shardingsphere.elasticjob.api.ShardingContext;
import org.apache.shardingsphere.elasticjob.dataflow.job.DataflowJob;
import org.apache.shardingsphere.elasticjob.simple.job.SimpleJob;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The jobs, as code. */
final class Jobs {
    private final Witness witness;
    private final long runMillis;
    private final int failItem;
    private final int batches;

    Jobs(Witness witness, Args args) {
        this.witness = witness;
        runMillis = args.number("run-ms", 50);
        failItem = args.number("fail-item", -1);
        batches = args.number("batches", 1);
    }

    /** Runs for a while, and fails for one item if asked to. */
    final class Simple implements SimpleJob {
        @Override
        public void execute(ShardingContext context) {
            work(context);
        }
    }

    /** Each fetch gives one element until the run has had its batches; -1 batches never end. */
    final class Dataflow implements DataflowJob<String> {
        private final Map<Integer, Integer> done = new ConcurrentHashMap<>();

        @Override
        public List<String> fetchData(ShardingContext context) {
            int before = done.getOrDefault(context.getShardingItem(), 0);
            if (batches >= 0 && before >= batches) {
                done.remove(context.getShardingItem());
                return Collections.emptyList();
            }
            return Collections.singletonList("element " + before);
        }

        @Override
        public void processData(ShardingContext context, List<String> data) {
            work(context);
            done.merge(context.getShardingItem(), 1, Integer::sum);
        }
    }

    private void work(ShardingContext context) {
        Witness.Run run = witness.start(context.getJobName(), context.getShardingItem(), context.getTaskId());
        try {
            Thread.sleep(runMillis);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
        boolean fails = context.getShardingItem() == failItem;
        run.end(fails ? 1 : 0);
        if (fails) {
            throw new IllegalStateException("item " + failItem + " fails as asked");
        }
    }
}

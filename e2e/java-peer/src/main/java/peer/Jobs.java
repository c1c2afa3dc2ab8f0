package peer;

import com.dangdang.ddframe.job.api.ShardingContext;
import com.dangdang.ddframe.job.api.dataflow.DataflowJob;
import com.dangdang.ddframe.job.api.simple.SimpleJob;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The jobs. Elastic-Job makes them by their class names, so what they need is static. */
public final class Jobs {
    static Witness witness;
    static long runMillis;
    static int failItem = -1;
    static int batches = 1;

    private Jobs() {
    }

    /** Runs for a while, and fails for one item if asked to. */
    public static final class Simple implements SimpleJob {
        @Override
        public void execute(ShardingContext context) {
            work(context);
        }
    }

    /** Each fetch gives one element until the run has had its batches; -1 batches never end. */
    public static final class Dataflow implements DataflowJob<String> {
        private static final Map<Integer, Integer> DONE = new ConcurrentHashMap<>();

        @Override
        public List<String> fetchData(ShardingContext context) {
            int done = DONE.getOrDefault(context.getShardingItem(), 0);
            if (batches >= 0 && done >= batches) {
                DONE.remove(context.getShardingItem());
                return Collections.emptyList();
            }
            return Collections.singletonList("element " + done);
        }

        @Override
        public void processData(ShardingContext context, List<String> data) {
            work(context);
            DONE.merge(context.getShardingItem(), 1, Integer::sum);
        }
    }

    private static void work(ShardingContext context) {
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

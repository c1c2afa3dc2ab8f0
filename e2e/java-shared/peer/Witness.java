package peer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/**
 * Writes what the jobs do, one JSON object a line, in the format of the other kind's job program: each line is one
 * append, and the monotonic clock is the machine's, so that the lines of all processes have one order.
 */
final class Witness {
    private final FileChannel log;
    private final long period;

    /** {@code period}: milliseconds between fires that lie on its multiples; 0: the fire is the start itself. */
    Witness(Path file, long period) throws IOException {
        log = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        this.period = period;
    }

    /** The start of one run of one item; {@link Run#end} is its end. The task id ends with the instance's id. */
    Run start(String job, int item, String taskId) {
        long now = System.currentTimeMillis();
        Run run = new Run(job, item, taskId, period == 0 ? now : now - now % period);
        run.write("start", now, null);
        return run;
    }

    /** A note of a listener: {@code kind} is {@code before} or {@code after}. */
    void note(Path file, String kind, String job) throws IOException {
        String line = String.format("{\"kind\":\"%s\",\"job\":\"%s\",\"pid\":%d,\"wall_ms\":%d}%n",
                kind, job, ProcessHandle.current().pid(), System.currentTimeMillis());
        try (FileChannel notes = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            notes.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
        }
    }

    final class Run {
        private final String job;
        private final int item;
        private final String taskId;
        private final long fire;
        private final String id = UUID.randomUUID().toString();

        private Run(String job, int item, String taskId, long fire) {
            this.job = job;
            this.item = item;
            this.taskId = taskId;
            this.fire = fire;
        }

        void end(int code) {
            write("end", System.currentTimeMillis(), code);
        }

        private void write(String kind, long wall, Integer code) {
            ProcessHandle me = ProcessHandle.current();
            String[] task = taskId.split("@-@");
            String line = String.format(
                    "{\"kind\":\"%s\",\"job\":\"%s\",\"item\":%d,\"fire\":\"%d\",\"attempt\":1,\"token\":0,\"run\":\"%s\","
                            + "\"pid\":%d,\"ppid\":%d,\"mono_ns\":%d,\"wall_ms\":%d,\"instance\":\"%s@-@%s\"%s}%n",
                    kind, job, item, fire, id, me.pid(),
                    me.parent().map(ProcessHandle::pid).orElse(0L), System.nanoTime(), wall,
                    task[task.length - 2], task[task.length - 1], code == null ? "" : ",\"code\":" + code);
            try {
                log.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
            } catch (IOException error) {
                throw new IllegalStateException("cannot write the log", error);
            }
        }
    }
}

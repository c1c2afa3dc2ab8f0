import java.time.Instant;
import java.time.ZoneId;
import java.time.zone.ZoneOffsetTransition;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Random;
import java.util.TimeZone;
import org.quartz.CronExpression;

/**
 * Asks Quartz itself when cron expressions fire next, and prints its answers for `quartz_oracle.rs`.
 *
 * Lines: `E expression` begins an expression; `R` says that Quartz rejects it; otherwise a line for each zone:
 * `Z zone after+wait after+wait ...`, both in seconds and base 36; `after+-` when it never fires again, `after+!` when Quartz does not answer.
 */
public class Generate {
    static final String[] ZONES = {
        "UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca",
        "Asia/Shanghai", "America/Sao_Paulo", "Asia/Tehran", "Europe/Dublin", "Asia/Kathmandu", "Africa/Cairo",
    };
    static final long FROM = Instant.parse("2000-01-01T00:00:00Z").getEpochSecond();
    static final long TO = Instant.parse("2037-01-01T00:00:00Z").getEpochSecond();
    static final int INSTANTS = 8;

    static final String[] CHOSEN = {
        "* * * * * ?", "0 * * * * ?", "0/5 * * * * ?", "*/7 * * * * ?", "/20 * * * * ?", "0 0/5 * * * ?", "0 0 * * * ?",
        "0 0 12 * * ?", "0 15 10 ? * *", "0 15 10 * * ?", "0 15 10 * * ? *", "0 15 10 * * ? 2005", "0 * 14 * * ?",
        "0 0/5 14 * * ?", "0 0/5 14,18 * * ?", "0 0-5 14 * * ?", "0 10,44 14 ? 3 WED", "0 15 10 ? * MON-FRI",
        "0 15 10 15 * ?", "0 15 10 L * ?", "0 15 10 L-2 * ?", "0 15 10 ? * 6L", "0 15 10 ? * 6L 2022-2025",
        "0 15 10 ? * 6#3", "0 0 12 1/5 * ?", "0 11 11 11 11 ?", "0 0 0 29 2 ?", "0 0 0 30 2 ?", "0 0 0 31 4,6 ?",
        "0 0 0 LW * ?", "0 0 0 15W * ?", "0 0 0 1W * ?", "0 0 0 L-3W * ?", "0 0 0 L-0 * ?", "0 0 0 30W * ?",
        "0 30 2 * * ?", "0 30 1 * * ?", "0 0 2 * * ?", "0 0 3 * * ?", "0 15 2 * * ?", "0 45 1 * * ?", "0 0 0 * * ?",
        "0 30 0 * * ?", "0 0 1 * * ?", "0 0/30 * * * ?", "0 0/15 0-3 * * ?", "30 59 23 * * ?", "0 0 0 1 1 ?",
        "0 0 0 ? * L", "0 0 0 ? * SATL", "0 0 0 ? * 1L", "0 0 0 ? * SUN#1", "0 0 0 ? * 7#5", "0 0 0 ? * MON#5",
        "0 0 22-2 * * ?", "0 50-10 * * * ?", "55-5 * * * * ?", "0 0 0 25-5 * ?", "0 0 0 1 NOV-FEB ?", "0 0 0 ? * FRI-MON",
        "0 0 0 ? * 6-2", "0 0 0 ? * 2-6/2", "0 0 0 1-31/10 * ?", "0 0 20-4/3 * * ?", "0 0 0 1 10-3/2 ?", "0 0 0 ? * 2/2",
        "0 0 0 1 1/3 ?", "0 0 0 1 JAN,APR,JUL,OCT ?", "0 0 0 ? JAN SUN,TUE", "0 0 0 1 1 ? 2000-2036/4", "0 0 0 1 1 ? 2024/3",
        "0 0 0 29 2 ? 2001,2003", "0 0 0 31 12 ? 2030", "10,20,30 1,2 3 4 5 ?", "0  0\t0 1 * ?", "0 0 0 ? * mon-fri",
        "0 0/0 * * * ?", "0 0 5/0 * * ?", "59 59 23 31 12 ? 2036", "0 0 0 13 * ?", "0 0 0 L 2 ?", "0 0 0 31 * ?",
        "0 0 0 L-30 * ?", "0 0 0 L-29 2 ?", "0 0 0 31W * ?", "0 0 0 29W 2 ?", "0 0 0 L-28W * ?", "0 30 12 15W * ?",
        "0 30 12 LW * ?", "0 30 12 L-1W * ?", "0 0 0 ? 2 2#5", "0 0 0 ? 2 2L", "0 0 0 1,15 * ?", "*/40 */40 */20 */30 * ?",
        "0 0 0 1 JAN-DEC/2 ?", "0 0 0 ? * MON-FRI/2", "0 0 0 ? * MON/2", "0 0 0 1W,15W * ?", "0 0 0 1W,15 * ?",
    };

    static final String[] DOUBTFUL = {
        "", "x", "* * * * *", "0 0 0 1 1", "* * * * * *", "* * * ? * ?", "0 0 0 1 1 1", "60 * * * * ?", "-1 * * * * ?",
        "* 60 * * * ?", "* * 24 * * ?", "* * * 0 * ?", "* * * 32 * ?", "* * * * 0 ?", "* * * * 13 ?", "* * * ? * 0",
        "* * * ? * 8", "* * * * JANUARY ?", "* * * * XYZ ?", "* * * ? * XYZ", "? * * * * ?", "* ? * * * ?", "* * ? * * ?",
        "* * * * ? ?", "*/60 * * * * ?", "* */60 * * * ?", "* * */24 * * ?", "* * * */32 * ?", "* * * * */13 ?",
        "* * * ? * */8", "0/60 * * * * ?", "*/ * * * * ?", "*/x * * * * ?", "1- * * * * ?", "1-x * * * * ?", "-5 * * * * ?",
        "1-60 * * * * ?", "* * * L,1 * ?", "* * * 1,L * ?", "* * * LW,1 * ?", "* * * ? * 6L,2", "* * * ? * 2,6L",
        "* * * ? * 6#6", "* * * ? * 6#0", "* * * ? * 6#", "* * * ? * #3", "* * * ? * 6#3,2#1", "* * * ? * 8L", "* * * ? * 0L",
        "* * * 32W * ?", "* * * W * ?", "* * * L-31 * ?", "* * * L-31W * ?", "* * * L- * ?", "* * * 5L * ?", "* * * ? * 5W",
        "5W * * * * ?", "5L * * * * ?", "5#1 * * * * ?", "* * * 5#1 * ?", "* * * * 2-FEB ?", "* * * ? * MON-6",
        "* * * ? * 2-FRI", "* * * * JAN-13 ?", "* * * * * ? 2020-2010", "* * * * * ? x", "0 0 0 1.5 * ?", "0;0 0 1 * ?",
        "@daily", "0 0 0 * * ? 2020 2021", "0 0 0 1 FEBRUARY ?", "0 0 0 ? * MONDAY", "0 0 0 ? * MONDAY-FRIDAY",
        "5x * * * * ?", "5 5x * * * ?", "*5 * * * * ?", "1,,2 * * * * ?", "1, * * * * ?", "*/0 * * * * ?", "0-10/0 * * * * ?",
        "0 0 0 0W * ?", "0 0 0 1-5W * ?", "0 0 0 ? * 2-4L", "0 0 0 ? * 2,6#3", "0 0 0 ? * 6#3,2", "0 0 0 ? * LW",
        "0 0 0 ? * L-3", "L * * * * ?", "0 0 0 ? * 9#1", "0 0 0 1 1 ? 1969", "0 0 0 1 1 ? 2300", "0 0 0 L5 * ?", "0 0 0 LWX * ?",
        "0 0 0 ? * FRI#3X", "0 0 0 ? * FRI#", "0 0 0 ? * FRIX", "0 0 0 1 JANX ?", "0 0 0 *W * ?", "0 0 0 ?5 * ?",
        "0 0 0 1,? * ?", "1/2/3 * * * * ?", "1-2-3 * * * * ?", "0 0 0 ? * 1-7L", "0-59/60 * * * * ?", "0 0 0 ? * 1/8",
    };

    final Random random = new Random(20240229);
    final StringBuilder out = new StringBuilder();
    int cases;

    public static void main(String[] args) {
        Generate generate = new Generate();
        for (String expression : CHOSEN) {
            generate.expression(expression);
        }
        for (String expression : DOUBTFUL) {
            generate.expression(expression);
        }
        for (int i = 0; i < 220; i++) {
            generate.expression(generate.random());
        }
        System.out.print(generate.out);
        System.err.println(generate.cases + " cases");
    }

    void expression(String text) {
        out.append("E ").append(text.replace("\t", "\\t")).append('\n');
        try {
            new CronExpression(text);
        } catch (Exception rejected) {
            out.append("R\n");
            cases++;
            return;
        }
        for (String zone : ZONES) {
            out.append("Z ").append(zone);
            for (int i = 0; i < INSTANTS; i++) {
                long after = instant(zone);
                String wait = answer(text, zone, after);
                out.append(' ').append(Long.toString(after, 36)).append('+').append(wait);
                cases++;
            }
            out.append('\n');
        }
    }

    /** Quartz never returns from some questions about a day whose midnight does not exist: `!`. */
    @SuppressWarnings({"deprecation", "removal"})
    static String answer(String text, String zone, long after) {
        String[] wait = {"!"};
        Thread asking = new Thread(() -> {
            try {
                CronExpression cron = new CronExpression(text);
                cron.setTimeZone(TimeZone.getTimeZone(zone));
                Date next = cron.getTimeAfter(new Date(after * 1000));
                wait[0] = next == null ? "-" : Long.toString(next.getTime() / 1000 - after, 36);
            } catch (Exception broken) {
                System.err.println(text + " " + zone + " " + after + ": " + broken);
            }
        });
        asking.start();
        try {
            asking.join(2000);
        } catch (InterruptedException impossible) {
            throw new IllegalStateException(impossible);
        }
        if (asking.isAlive()) {
            asking.stop();
        }
        return wait[0];
    }

    /** Half of them near a change of the zone's offset, if it has any. */
    long instant(String zone) {
        List<ZoneOffsetTransition> changes = new ArrayList<>();
        Instant at = Instant.ofEpochSecond(FROM);
        while (true) {
            ZoneOffsetTransition next = ZoneId.of(zone).getRules().nextTransition(at);
            if (next == null || next.getInstant().getEpochSecond() >= TO) {
                break;
            }
            changes.add(next);
            at = next.getInstant();
        }
        if (changes.isEmpty() || random.nextBoolean()) {
            return FROM + (long) (random.nextDouble() * (TO - FROM));
        }
        long change = changes.get(random.nextInt(changes.size())).getInstant().getEpochSecond();
        int[] near = {-86401, -7201, -7200, -3601, -3600, -1801, -1800, -1, 0, 1, 1799, 1800, 3599, 3600, 7200};
        int pick = random.nextInt(near.length + 6);
        return change + (pick < near.length ? near[pick] : random.nextInt(4 * 86400) - 2 * 86400);
    }

    String random() {
        boolean month = random.nextInt(3) > 0;
        String text = time(60) + " " + time(60) + " " + time(24) + " " + (month ? dayOfMonth() : "?") + " " + month() + " "
            + (month ? "?" : dayOfWeek());
        return random.nextInt(5) == 0 ? text + " " + year() : text;
    }

    String time(int size) {
        switch (random.nextInt(6)) {
            case 0: return "*";
            case 1: return random.nextInt(size) + "/" + (1 + random.nextInt(size - 1));
            case 2: return random.nextInt(size) + "-" + random.nextInt(size);
            case 3: return random.nextInt(size) + "-" + random.nextInt(size) + "/" + (1 + random.nextInt(size - 1));
            case 4: return random.nextInt(size) + "," + random.nextInt(size) + "," + random.nextInt(size);
            default: return "" + random.nextInt(size);
        }
    }

    String dayOfMonth() {
        switch (random.nextInt(9)) {
            case 0: return "*";
            case 1: return "L";
            case 2: return "LW";
            case 3: return "L-" + random.nextInt(28);
            case 4: return (1 + random.nextInt(28)) + "W";
            case 5: return (1 + random.nextInt(31)) + "-" + (1 + random.nextInt(31));
            case 6: return (1 + random.nextInt(31)) + "/" + (1 + random.nextInt(31));
            case 7: return (1 + random.nextInt(31)) + "," + (1 + random.nextInt(31));
            default: return "" + (1 + random.nextInt(31));
        }
    }

    String month() {
        String[] names = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
        switch (random.nextInt(6)) {
            case 0: return names[random.nextInt(12)];
            case 1: return names[random.nextInt(12)] + "-" + names[random.nextInt(12)];
            case 2: return (1 + random.nextInt(12)) + "/" + (1 + random.nextInt(12));
            case 3: return (1 + random.nextInt(12)) + "," + names[random.nextInt(12)];
            default: return "*";
        }
    }

    String dayOfWeek() {
        String[] names = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
        switch (random.nextInt(8)) {
            case 0: return "*";
            case 1: return "L";
            case 2: return (1 + random.nextInt(7)) + "L";
            case 3: return names[random.nextInt(7)] + "L";
            case 4: return (1 + random.nextInt(7)) + "#" + (1 + random.nextInt(5));
            case 5: return names[random.nextInt(7)] + "-" + names[random.nextInt(7)];
            case 6: return (1 + random.nextInt(7)) + "-" + (1 + random.nextInt(7)) + "/" + (1 + random.nextInt(3));
            default: return names[random.nextInt(7)] + "," + (1 + random.nextInt(7));
        }
    }

    String year() {
        int from = 2000 + random.nextInt(36);
        switch (random.nextInt(4)) {
            case 0: return "*";
            case 1: return from + "-" + (from + random.nextInt(20));
            case 2: return from + "/" + (1 + random.nextInt(9));
            default: return from + "," + (2000 + random.nextInt(36));
        }
    }
}

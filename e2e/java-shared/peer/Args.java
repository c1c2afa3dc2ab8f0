package peer;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;

/** Options: {@code --name value} or {@code --flag}. */
final class Args {
    private final Map<String, String> values = new HashMap<>();

    Args(String[] args, int from) {
        for (int i = from; i < args.length; i++) {
            if (!args[i].startsWith("--")) {
                throw new IllegalArgumentException("`" + args[i] + "` is no option; options begin with --");
            }
            String name = args[i].substring(2);
            boolean valued = i + 1 < args.length && !args[i + 1].startsWith("--");
            values.put(name, valued ? args[++i] : "");
        }
    }

    String need(String name) {
        String value = values.get(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("--" + name + " needs a value");
        }
        return value;
    }

    String text(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    int number(String name, int otherwise) {
        String value = values.get(name);
        return value == null ? otherwise : Integer.parseInt(value);
    }

    /** Passes a value on, if it is given. */
    void pass(String name, Consumer<String> to) {
        if (has(name)) {
            to.accept(need(name));
        }
    }

    boolean has(String name) {
        return values.containsKey(name);
    }
}

package dev.tarn.etl.live;

import com.google.common.hash.Hashing;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Names of Kafka's consumer groups. Processes share partitions only if each of them applies an
 * event to the same views in the same way.
 */
final class Groups {

  private Groups() {}

  /** The group of the processes that follow a source for some views. */
  static String of(LiveSettings settings, String source, List<LiveView> views) {
    String all =
        views.stream()
            .map(view -> view.name() + " " + view.generation())
            .sorted()
            .collect(Collectors.joining("\n"));
    String prefix = settings.group().isEmpty() ? settings.namespace() + "-live" : settings.group();
    return "%s-%s-%s"
        .formatted(
            prefix,
            source,
            Hashing.sha256().hashString(all, StandardCharsets.UTF_8).toString().substring(0, 8));
  }
}

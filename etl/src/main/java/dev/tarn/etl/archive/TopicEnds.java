package dev.tarn.etl.archive;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.definition.StreamSource;
import java.util.SortedMap;

/** Asks the brokers how far a topic is. */
public final class TopicEnds {

  private TopicEnds() {}

  /**
   * The next offset of each partition, as of now.
   *
   * @throws TarnException if the brokers don't tell
   */
  public static SortedMap<Integer, Long> of(Settings settings, StreamSource stream) {
    try (TopicClient topic = new TopicClient(settings.read(KafkaSettings::of), stream.topic())) {
      return topic.state().ends();
    }
  }
}

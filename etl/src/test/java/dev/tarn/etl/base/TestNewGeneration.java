package dev.tarn.etl.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.archive.Topics;
import dev.tarn.kafka.KafkaBroker;
import dev.tarn.live.Progress;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.row.Values;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A live view whose definition changes: another generation, beside the one that is released. */
class TestNewGeneration {

  @Test
  void anotherDefinitionIsReleasedWhenItsCellsHaveCaughtUpAndTheOldOneGoes() {
    try (KafkaBroker broker = KafkaBroker.start();
        Topics topics = new Topics(broker)) {
      topics.create("renewed", 1);
      for (int i = 0; i < 300; i++) {
        topics.post("renewed", 0, "{}");
      }
      topics.flush();
      LiveView view = new LiveView("changing", "renewed", "");
      Workbench bench = view.bench();
      bench.set("kafka.bootstrap.servers", broker.address()).set("push.live-patience", "0s");
      long now = Values.micros(Instant.now());
      view.archive(LiveView.events(new Random(5), 0, 0, 200, now), 200);
      VersionRecord old = view.push().record();
      String before = old.getLive().getGeneration();
      view.progress(before, new Progress(192, 300, now));
      RedisKeys keys = bench.redis().settings().keys();
      String prefix = keys.bucketPrefix("changing", RedisKeys.liveVersion(before));
      String bucket = new String(RedisKeys.bucket(prefix, 5), StandardCharsets.UTF_8);
      bench.redis().at(bucket, jedis -> jedis.hset(bucket, Map.of("7", "cells")));

      view.define(
          LiveView.FEATURES + "{ name = events_2h, aggregate = count, window = 2h }",
          "live { segment = 64 }");
      assertThatThrownBy(view::push)
          .isInstanceOf(TarnException.class)
          .hasMessageContaining("its live cells are 108 events behind the end that its topic had");
      assertThat(bench.versions().releasedRecord("changing")).contains(old);
      String after = bench.versions().records("changing").get(0).getLive().getGeneration();
      assertThat(after).isNotEqualTo(before);

      view.progress(after, new Progress(192, 300, now));
      bench.output();
      assertThat(view.push().mode()).isEqualTo("kept");
      assertThat(bench.output())
          .contains("changing: the live cells of generation " + before + " are removed");
      assertThat(bench.versions().records("changing"))
          .extracting(record -> record.getLive().getGeneration())
          .containsExactly(after);
      assertThat(bench.versions().progress("changing", before)).isEmpty();
      assertThat(bench.redis().<Boolean>at(bucket, jedis -> jedis.exists(bucket))).isFalse();
      assertThat(bench.run("rollback", "view=changing")).isEqualTo(1);
      assertThat(bench.output()).contains("Redis has no version from before");
      assertThat(bench.run("versions", "view=changing")).isZero();
      assertThat(bench.output())
          .contains("has the events before 0: 192")
          .contains("(generation " + after + ") those before 0: 300, complete through");

      assertThat(bench.run("withdraw", "view=changing")).isZero();
      assertThat(bench.output()).contains("its live cells and their progress go");
      assertThat(bench.versions().progress("changing", after)).isEmpty();
      assertThat(bench.versions().records("changing")).isEqualTo(List.of());
    }
  }
}

package dev.tarn.bench.lookup;

import dev.tarn.cli.Settings;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.fit.Fit;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.functions;

/** The feature views that are looked up: one for each number of features, built and released. */
final class WideViews {

  private static final String AS_OF = "2026-01-01T00:00:00Z";

  private final Lake lake;
  private final Settings settings;
  private final Path folder;
  private final long entities;
  private final List<Integer> widths;

  /**
   * Takes the place and the sizes.
   *
   * @param widths a number of features for each view
   */
  WideViews(Lake lake, Settings settings, Path folder, long entities, List<Integer> widths) {
    this.lake = lake;
    this.settings = settings;
    this.folder = folder;
    this.entities = entities;
    this.widths = widths;
  }

  /** Builds, pushes and releases all views, and fits their feature services. */
  void release() throws IOException {
    StringBuilder definitions = new StringBuilder();
    for (int features : widths) {
      definitions.append(definition(features));
      List<Column> columns = new ArrayList<>();
      columns.add(functions.col("id"));
      for (int i = 0; i < features; i++) {
        columns.add(
            functions.xxhash64(functions.col("id"), functions.lit(i)).divide(1e15).as("f" + i));
      }
      lake.spark()
          .range(entities)
          .select(columns.toArray(new Column[0]))
          .write()
          .mode(SaveMode.Overwrite)
          .parquet(source(features).toString());
    }
    Path conf = Files.createDirectories(folder.resolve("features")).resolve("bench.conf");
    Files.writeString(conf, definitions);
    Definitions defined = Definitions.load(settings);
    RedisServers servers = RedisServers.connect(settings);
    for (int features : widths) {
      String view = LookupShape.view(features);
      if (lake.catalog().find(view).isPresent()) {
        lake.catalog().drop(view);
      }
      var unusedBuilt =
          new Build(lake, Console.silent())
              .build(defined.view(view), List.of(Instant.parse(AS_OF)), false);
    }
    var unusedPushed =
        new Push(lake, servers, settings, Console.silent())
            .push(
                widths.stream().map(features -> defined.view(LookupShape.view(features))).toList(),
                List.of(),
                new Push.Request(Optional.empty(), Push.Mode.FULL, false));
    for (int features : widths) {
      var unusedFitted =
          new Fit(lake, new VersionStore(servers))
              .fit(defined, defined.service(LookupShape.service(features)), List.of());
    }
  }

  private Path source(int features) {
    return folder.resolve("source" + features);
  }

  private String definition(int features) {
    String view = LookupShape.view(features);
    return """
        entities { %1$s { keys = [{ name = id, type = bigint }] } }
        sources { source%2$d { format = parquet, path = "%3$s" } }
        feature-views {
          %1$s {
            entity = %1$s
            sources = [source%2$d]
            sql = "SELECT * FROM source%2$d"
            features = [%4$s]
          }
        }
        feature-services { %5$s { features = [%6$s] } }
        """
        .formatted(
            view,
            features,
            source(features),
            each(features, "{ name = f%d, type = double }"),
            LookupShape.service(features),
            each(
                features,
                "{ feature = " + view + ".f%d, transform = [{ fill = 0 }, standardize] }"));
  }

  private static String each(int features, String pattern) {
    return IntStream.range(0, features)
        .mapToObj(pattern::formatted)
        .collect(Collectors.joining(", "));
  }
}

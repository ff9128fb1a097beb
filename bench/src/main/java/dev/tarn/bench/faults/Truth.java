package dev.tarn.bench.faults;

import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Knows the values of every snapshot. Each value is computed from its entity and a seed, and a
 * snapshot is the list of its entities' seeds. So any answer can be checked against the snapshot
 * that it names. The seed 0 says that the snapshot does not have the entity.
 */
final class Truth {

  /** The greatest id that a snapshot may have; the least is 1. */
  static final int ENTITIES = 8_000;

  static final String VIEW = "score";

  private static final String DEFINITION =
      """
      entities { user { keys = [{ name = user_id, type = bigint }] } }
      sources {
        scores {
          format = json
          path = "%s"
          schema = "user_id BIGINT, points BIGINT, share DOUBLE, label STRING"
        }
      }
      feature-views {
        score {
          entity = user
          sources = [scores]
          sql = "SELECT user_id, points, share, label FROM scores"
          features = [
            { name = points, type = bigint }
            { name = share, type = double }
            { name = label, type = string }
          ]
        }
      }
      """;

  private final Map<Long, int[]> bySnapshot = new ConcurrentHashMap<>();
  private int[] newest = new int[ENTITIES + 1];
  private int seed;

  /** Writes the definition of the view into a folder. */
  static void define(Path folder) throws IOException {
    Files.createDirectories(folder.resolve("features"));
    Files.writeString(
        folder.resolve("features").resolve("scores.conf"),
        DEFINITION.formatted(folder.resolve("scores.json")));
  }

  /** Gives a share of the entities other values; a few of them go away or come back. */
  void change(Random random, double share) {
    seed++;
    int[] next = newest.clone();
    for (int entity = 1; entity <= ENTITIES; entity++) {
      if (random.nextDouble() < share) {
        next[entity] = random.nextInt(20) == 0 ? 0 : seed;
      }
    }
    newest = next;
  }

  /** Writes the source of the next build. */
  void write(Path folder) throws IOException {
    Path file = folder.resolve("scores.json");
    Path half = folder.resolve("scores.half");
    try (BufferedWriter out = Files.newBufferedWriter(half)) {
      for (int entity = 1; entity <= ENTITIES; entity++) {
        if (newest[entity] != 0) {
          long hash = hash(entity, newest[entity]);
          out.write(
              String.format(
                  Locale.ROOT,
                  "{\"user_id\":%d,\"points\":%d,\"share\":%s,\"label\":\"%s\"}%n",
                  entity,
                  points(hash),
                  Double.toString(share(hash)),
                  label(hash)));
        }
      }
    }
    Files.move(half, file, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Notes which snapshot was built from the last source. */
  void note(long snapshotId) {
    bySnapshot.put(snapshotId, newest);
  }

  /** Says what is wrong with an answer for these entities; empty if nothing is. */
  Optional<String> wrong(GetOnlineFeaturesResponse answer, List<Integer> entities) {
    if (answer.getVersionsCount() != 1) {
      return Optional.of("an answer names %d versions".formatted(answer.getVersionsCount()));
    }
    long snapshotId = answer.getVersions(0).getSnapshotId();
    int[] seeds = bySnapshot.get(snapshotId);
    if (seeds == null) {
      return Optional.of("an answer names snapshot %d, which was not built".formatted(snapshotId));
    }
    for (int entity : entities) {
      FeatureSet features = answer.getResultsMap().get(Integer.toString(entity));
      int own = entity > ENTITIES ? 0 : seeds[entity];
      if (features == null || !isRight(features, entity, own)) {
        return Optional.of(
            "entity %d from %s, snapshot %d: expected %s, not %s"
                .formatted(
                    entity,
                    answer.getVersions(0).getVersion(),
                    snapshotId,
                    own == 0 ? "nothing" : "the values of seed " + own,
                    features == null ? "no answer" : features.toString().replace('\n', ' ')));
      }
    }
    return Optional.empty();
  }

  private static boolean isRight(FeatureSet features, int entity, int seed) {
    Map<String, Value> values = features.getFeaturesMap();
    if (seed == 0) {
      return values.isEmpty();
    }
    long hash = hash(entity, seed);
    return features.getStatusesCount() == 0
        && values.size() == 3
        && values.containsKey("points")
        && values.get("points").getNumberValue() == points(hash)
        && values.containsKey("share")
        && values.get("share").getNumberValue() == share(hash)
        && values.containsKey("label")
        && values.get("label").getStringValue().equals(label(hash));
  }

  /** Computes a number that a double holds exactly. */
  private static long points(long hash) {
    return hash >>> 16;
  }

  private static double share(long hash) {
    return (hash >>> 11) * 0x1p-53;
  }

  private static String label(long hash) {
    return Long.toHexString(hash).repeat(6);
  }

  /** Mixes bits as java.util.SplittableRandom does. */
  private static long hash(int entity, int seed) {
    long mixed = ((long) seed << 32 | entity) * 0x9e3779b97f4a7c15L;
    mixed = (mixed ^ (mixed >>> 30)) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
    return mixed ^ (mixed >>> 31);
  }
}

package dev.tarn.etl.push;

import dev.tarn.etl.redis.BucketPipeline;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.layer.Buckets;
import dev.tarn.layer.Layer;
import dev.tarn.layer.Layers;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.FlatMapFunction;
import redis.clients.jedis.Protocol;

/**
 * Reads back from Redis every row that a push wrote, after the last one was written, and compares.
 * So it finds whatever went wrong in between (a restart that lost the last second, an eviction,
 * somebody else's DEL) before any lookup is answered from these rows.
 *
 * <p>For an overlay it also asks the base which of the overlay's entities it has: that tells how
 * many entities the version has in all.
 */
final class ReadBack implements FlatMapFunction<Iterator<WrittenBuckets>, ReadBack.Result> {
  private static final long serialVersionUID = 1L;

  /** Entities of an overlay after which the base is asked, to bound the task's memory. */
  private static final int ASKED_AT_ONCE = 10_000;

  /**
   * A comparison's findings.
   *
   * @param differing buckets whose rows are not those that were written
   * @param added entities of an overlay that its base does not have
   * @param removed entities of the base that an overlay takes away
   */
  record Result(long rows, ArrayList<Integer> differing, long added, long removed)
      implements Serializable {

    static final Result NONE = new Result(0, new ArrayList<>(), 0, 0);

    Result plus(Result other) {
      ArrayList<Integer> both = new ArrayList<>(differing);
      both.addAll(other.differing);
      return new Result(rows + other.rows, both, added + other.added, removed + other.removed);
    }
  }

  private final RedisServers servers;
  private final Layers layers;

  /**
   * A reader of the rows that one push wrote.
   *
   * @param layers of the version, its own layer at the top
   */
  ReadBack(RedisServers servers, Layers layers) {
    this.servers = servers;
    this.layers = layers;
  }

  @Override
  public Iterator<Result> call(Iterator<WrittenBuckets> parts) {
    Result result = Result.NONE;
    while (parts.hasNext()) {
      try (Reading reading = new Reading()) {
        result = result.plus(reading.read(parts.next()));
      }
    }
    return List.of(result).iterator();
  }

  /** The reading of what one task wrote. */
  private final class Reading implements AutoCloseable {

    /** An overlay's entity, to be looked for in the base. */
    private static final class OverlayEntity {
      private final byte[] id;
      private final boolean isRemoved;

      OverlayEntity(byte[] id, boolean isRemoved) {
        this.id = id;
        this.isRemoved = isRemoved;
      }
    }

    private final BucketPipeline pipeline = new BucketPipeline(servers);
    private final Layer own = layers.get(0);
    private final boolean isOverlay = layers.count() > 1;
    private final ArrayList<Integer> differing = new ArrayList<>();
    private List<OverlayEntity> entities = new ArrayList<>();
    private long rows;
    private long added;
    private long removed;

    Result read(WrittenBuckets written) {
      for (int i = 0; i < written.size(); i++) {
        int at = i;
        byte[] key = own.buckets().key(written.bucket(i));
        pipeline.send(
            key,
            Protocol.Command.HGETALL,
            written.bytes(i),
            answer -> compare(written, at, (List<?>) answer),
            key);
        if (entities.size() > ASKED_AT_ONCE) {
          askBase();
        }
      }
      askBase();
      return new Result(rows, differing, added, removed);
    }

    @Override
    public void close() {
      pipeline.close();
    }

    private void compare(WrittenBuckets written, int at, List<?> fields) {
      long fingerprint = 0;
      for (int f = 0; f < fields.size(); f += 2) {
        byte[] id = (byte[]) fields.get(f);
        byte[] entry = (byte[]) fields.get(f + 1);
        fingerprint += WrittenBuckets.fingerprint(id, entry);
        if (isOverlay) {
          entities.add(new OverlayEntity(id, !own.isRow(entry)));
        }
      }
      rows += fields.size() / 2;
      if (fields.size() != 2 * written.count(at) || fingerprint != written.fingerprint(at)) {
        differing.add(written.bucket(at));
      }
    }

    /** Counts the overlay's entities that the base lacks, and those that it takes away from it. */
    private void askBase() {
      pipeline.flush();
      List<OverlayEntity> asked = entities;
      entities = new ArrayList<>();
      Buckets base = layers.base().buckets();
      for (OverlayEntity entity : asked) {
        byte[] key = base.keyOf(entity.id);
        pipeline.send(
            key,
            Protocol.Command.HEXISTS,
            key.length + entity.id.length,
            answer -> {
              boolean isInBase = Long.valueOf(1).equals(answer);
              if (entity.isRemoved && isInBase) {
                removed++;
              } else if (!entity.isRemoved && !isInBase) {
                added++;
              }
            },
            key,
            entity.id);
      }
      pipeline.flush();
    }
  }
}

package dev.tarn.etl.push;

import com.google.protobuf.InvalidProtocolBufferException;
import com.redislabs.provider.redis.RedisNode;
import dev.tarn.cli.TarnException;
import dev.tarn.manifest.Manifest;
import dev.tarn.manifest.StoredService;
import dev.tarn.redis.ControlJson;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;

/**
 * The versions of feature views in Redis and the release that says which of them are served.
 *
 * <p>A version goes one way: {@link #mint} (being written, nobody can see it), {@link #complete}
 * (it has a manifest), {@link #release} (lookups answer from it), {@link #retire} and {@link
 * #remove}. A version that is being written has a lease; one whose lease ran out belongs to a push
 * that died, and anyone may give it up and then remove it. A push that was only slow finds that out
 * at {@link #complete}, so it can't release rows that are being removed.
 */
public final class VersionStore {

  /** How long a version being written is left alone without a word from its push. */
  static final Duration LEASE = Duration.ofSeconds(30);

  private static final int KEYS_PER_BATCH = 1_000;
  private static final String LETTERS = "0123456789abcdefghjkmnpqrstvwxyz";
  private static final SecureRandom RANDOM = new SecureRandom();

  /** KEYS writing; ARGV version, BUCKETS@LEASE. Renews a lease, unless it has been given up. */
  private static final String RENEW =
      """
      local entry = redis.call('HGET', KEYS[1], ARGV[1]) or '@0'
      if string.sub(entry, -2) == '@0' then return 0 end
      redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
      return 1
      """;

  /** KEYS writing, manifests; ARGV version, manifest. */
  private static final String COMPLETE =
      """
      local entry = redis.call('HGET', KEYS[1], ARGV[1]) or '@0'
      if string.sub(entry, -2) == '@0' then return 0 end
      redis.call('HDEL', KEYS[1], ARGV[1])
      redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
      return 1
      """;

  /**
   * KEYS writing; ARGV now. Gives up the versions whose lease ran out, by a lease of 0, which can't
   * be renewed; the result is their names and numbers of buckets.
   */
  private static final String GIVE_UP =
      """
      local writing = redis.call('HGETALL', KEYS[1])
      local given_up = {}
      for i = 1, #writing, 2 do
        local buckets, lease = string.match(writing[i + 1], '^(%d+)@(%d+)$')
        if buckets and tonumber(lease) < tonumber(ARGV[1]) then
          redis.call('HSET', KEYS[1], writing[i], buckets .. '@0')
          given_up[#given_up + 1] = writing[i]
          given_up[#given_up + 1] = buckets
        end
      end
      return given_up
      """;

  /**
   * KEYS release, services, manifests; ARGV channel, view, version, entry expected ('' for none),
   * new entry, then name and definition of each service.
   */
  private static final String RELEASE =
      """
      if (redis.call('HGET', KEYS[1], ARGV[2]) or '') ~= ARGV[4] then return 'moved' end
      if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 then return 'gone' end
      redis.call('HSET', KEYS[1], ARGV[2], ARGV[5])
      for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
      redis.call('PUBLISH', ARGV[1], ARGV[2])
      return 'released'
      """;

  /** KEYS release, manifests, writing; ARGV view, version, BUCKETS@0. */
  private static final String RETIRE =
      """
      local entry = redis.call('HGET', KEYS[1], ARGV[1]) or ''
      if string.sub(entry, 1, #ARGV[2] + 1) == ARGV[2] .. '@' then return 0 end
      if redis.call('HDEL', KEYS[2], ARGV[2]) == 0 then return 0 end
      redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
      return 1
      """;

  private final RedisServers servers;
  private final RedisKeys keys;

  public VersionStore(RedisServers servers) {
    this.servers = servers;
    this.keys = servers.settings().keys();
  }

  /** What is released, by feature view. */
  public Map<String, Release> releases() {
    Map<String, Release> releases = new TreeMap<>();
    atControl(jedis -> jedis.hgetAll(keys.release()))
        .forEach((view, entry) -> releases.put(view, Release.parse(entry)));
    return releases;
  }

  public Optional<Release> released(String view) {
    return Optional.ofNullable(atControl(jedis -> jedis.hget(keys.release(), view)))
        .map(Release::parse);
  }

  /** The complete versions of a view, newest first. */
  public List<Manifest> manifests(String view) {
    List<Manifest> manifests = new ArrayList<>();
    atControl(jedis -> jedis.hgetAll(keys.manifests(view)))
        .forEach((version, json) -> manifests.add(parse(view, version, json)));
    manifests.sort(
        Comparator.comparing(
                (Manifest manifest) -> manifest.getCreatedAt(),
                com.google.protobuf.util.Timestamps.comparator())
            .reversed());
    return manifests;
  }

  public Optional<Manifest> manifest(String view, String version) {
    return Optional.ofNullable(atControl(jedis -> jedis.hget(keys.manifests(view), version)))
        .map(json -> parse(view, version, json));
  }

  /**
   * A new version of a view under a name that was never used and never will be: a counter for its
   * place in the order, and 30 random bits for the case that Redis loses the counter.
   */
  String mint(String view, int buckets) {
    StringBuilder suffix = new StringBuilder();
    for (int i = 0; i < 6; i++) {
      suffix.append(LETTERS.charAt(RANDOM.nextInt(LETTERS.length())));
    }
    return atControl(
        jedis -> {
          String version = "v" + jedis.incr(keys.sequence()) + "-" + suffix;
          jedis.hset(keys.writing(view), version, lease(jedis, buckets));
          return version;
        });
  }

  /** Says that the push of a version is alive. False: the version has been given up and removed. */
  boolean renew(String view, String version, int buckets) {
    return atControl(
        jedis ->
            isOne(
                jedis.eval(
                    RENEW, List.of(keys.writing(view)), List.of(version, lease(jedis, buckets)))));
  }

  /** Gives a version its manifest. False: it has been given up and removed. */
  boolean complete(Manifest manifest) {
    String view = manifest.getFeatureView();
    return atControl(
        jedis ->
            isOne(
                jedis.eval(
                    COMPLETE,
                    List.of(keys.writing(view), keys.manifests(view)),
                    List.of(manifest.getVersion(), ControlJson.print(manifest)))));
  }

  /**
   * Makes a version the one that lookups answer from, if what is released is still what the caller
   * has seen, and tells the servers.
   *
   * @param seen what the caller saw released before
   * @param services definitions to store in the same instant
   * @return false if something else has been released in between
   * @throws TarnException if the version is no longer there
   */
  boolean release(
      Manifest manifest, Optional<Release> seen, Release next, List<StoredService> services) {
    String view = manifest.getFeatureView();
    List<String> values = new ArrayList<>();
    values.add(keys.releasedChannel());
    values.add(view);
    values.add(manifest.getVersion());
    values.add(seen.map(Release::format).orElse(""));
    values.add(next.format());
    for (StoredService service : services) {
      values.add(service.getName());
      values.add(ControlJson.print(service));
    }
    Object answer =
        atControl(
            jedis ->
                jedis.eval(
                    RELEASE,
                    List.of(keys.release(), keys.services(), keys.manifests(view)),
                    values));
    if ("gone".equals(answer)) {
      throw new TarnException(
          "version %s of %s is no longer in Redis, so it can't be released"
              .formatted(manifest.getVersion(), view));
    }
    return "released".equals(answer);
  }

  /**
   * Stores the definitions of feature services where they are not stored just so already, and tells
   * the servers.
   *
   * @return the names of those that are new or have changed
   */
  List<String> storeServices(String view, List<StoredService> services) {
    return atControl(
        jedis -> {
          Map<String, String> changed = new TreeMap<>();
          for (StoredService service : services) {
            String json = ControlJson.print(service);
            if (!json.equals(jedis.hget(keys.services(), service.getName()))) {
              changed.put(service.getName(), json);
            }
          }
          if (!changed.isEmpty()) {
            jedis.hset(keys.services(), changed);
            jedis.publish(keys.releasedChannel(), view);
          }
          return List.copyOf(changed.keySet());
        });
  }

  /**
   * Takes a complete version that is not released out of the list, so that {@link #remove} may
   * delete its rows. A push that dies in between leaves it to the next one.
   */
  boolean retire(Manifest manifest) {
    String view = manifest.getFeatureView();
    return atControl(
        jedis ->
            isOne(
                jedis.eval(
                    RETIRE,
                    List.of(keys.release(), keys.manifests(view), keys.writing(view)),
                    List.of(view, manifest.getVersion(), manifest.getBuckets() + "@0"))));
  }

  /**
   * Gives up the versions that dead pushes left behind, so that {@link #remove} may delete their
   * rows: should such a push be alive after all, it can no longer complete its version.
   *
   * @return their numbers of buckets, by version
   */
  Map<String, Integer> giveUpAbandoned(String view) {
    return atControl(
        jedis -> {
          String now = Long.toString(millis(jedis));
          List<?> givenUp =
              (List<?>) jedis.eval(GIVE_UP, List.of(keys.writing(view)), List.of(now));
          Map<String, Integer> abandoned = new HashMap<>();
          for (int i = 0; i < givenUp.size(); i += 2) {
            abandoned.put((String) givenUp.get(i), Integer.valueOf((String) givenUp.get(i + 1)));
          }
          return abandoned;
        });
  }

  /** Deletes all rows of a version that is not complete, then the version. */
  void remove(String view, String version, int buckets) {
    String prefix = keys.bucketPrefix(view, version);
    for (int first = 0; first < buckets; first += KEYS_PER_BATCH) {
      Map<RedisNode, List<byte[]>> byNode = new HashMap<>();
      for (int i = first; i < Math.min(buckets, first + KEYS_PER_BATCH); i++) {
        byte[] key = RedisKeys.bucket(prefix, i);
        byNode.computeIfAbsent(servers.topology().getHost(key), n -> new ArrayList<>()).add(key);
      }
      byNode.forEach(
          (node, names) ->
              servers.at(
                  node,
                  jedis -> {
                    Pipeline pipeline = jedis.pipelined();
                    names.forEach(pipeline::unlink);
                    for (Object answer : pipeline.syncAndReturnAll()) {
                      if (answer instanceof RuntimeException refused) {
                        throw refused;
                      }
                    }
                    return null;
                  }));
    }
    atControl(jedis -> jedis.hdel(keys.writing(view), version));
  }

  private static String lease(Jedis jedis, int buckets) {
    return buckets + "@" + (millis(jedis) + LEASE.toMillis());
  }

  /** Redis's clock: the machines that push may not agree on the time. */
  private static long millis(Jedis jedis) {
    List<String> time = jedis.time();
    return Long.parseLong(time.get(0)) * 1_000 + Long.parseLong(time.get(1)) / 1_000;
  }

  private static boolean isOne(Object answer) {
    return Long.valueOf(1).equals(answer);
  }

  private static Manifest parse(String view, String version, String json) {
    try {
      return ControlJson.parse(json, Manifest.newBuilder()).build();
    } catch (InvalidProtocolBufferException e) {
      throw new TarnException(
          "the manifest of version %s of %s can't be read: %s"
              .formatted(version, view, e.getMessage()),
          e);
    }
  }

  /** The control keys share one slot, so one server has them all. */
  private <T> T atControl(java.util.function.Function<Jedis, T> work) {
    return servers.at(keys.release(), work);
  }
}

package dev.tarn.etl.redis;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.cli.TarnException;
import dev.tarn.layer.Buckets;
import dev.tarn.live.Progress;
import dev.tarn.manifest.ReleaseEvent;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.ControlJson;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisException;

/**
 * The versions of feature views in Redis and the releases that say which of them lookups answer
 * from.
 *
 * <p>A version goes one way: {@link #mint} (its rows are being written, nobody can see it), {@link
 * #release} (lookups answer from it), {@link #prune} and {@link #removeLater}. A version that is
 * being written has a lease. Once the lease has run out, the push is taken for dead, and anyone may
 * claim the version and discard it. A push that was only slow finds that out at {@link #renew} or
 * {@link #release}, so it can't release rows that are being removed.
 */
public final class VersionStore {

  /** A reason for which a set of versions was not released. */
  public enum ReleaseRefusal {
    /** Something else has been released since the caller looked. */
    MOVED,
    /** A rollback has pinned one of the views. */
    PINNED,
    /** A version has been discarded or pruned, or the base that it overlays is gone. */
    GONE,
    /** Redis has been restarted, or another server has taken over, since the caller looked. */
    RESTARTED
  }

  /**
   * A version that {@link #claimAbandoned} has claimed.
   *
   * @param mayBeRead whether it was released once, so that lookups may be under way in it
   */
  public record Abandoned(String version, int buckets, boolean mayBeRead) {}

  /**
   * A version to release.
   *
   * @param seen the release that the caller saw before
   * @param event the row for the release history
   */
  public record Candidate(VersionRecord record, Optional<Release> seen, ReleaseEvent event) {}

  private static final String LETTERS = "0123456789abcdefghjkmnpqrstvwxyz";

  /**
   * The number of buckets that expire in one millisecond. Redis looks for expired keys ten times a
   * second; a few hundred at each look take it about a millisecond.
   */
  private static final int EXPIRED_PER_MILLISECOND = 4;

  private static final SecureRandom RANDOM = new SecureRandom();

  /**
   * Beginning of a script that changes several hashes. What a script has written stays, also where
   * a later command of it is refused, so each hash is tried before anything is written: an HDEL of
   * no field and an HSET that lacks a value have no effect, and are refused where the user may not
   * do them or the key is no hash. The HDEL is first as a full Redis permits a script what needs
   * memory only after a write that needs none.
   */
  private static final String TRY_HASH =
      """
      local function try(hash)
        redis.call('HDEL', hash, '')
        local refusal = redis.pcall('HSET', hash, '', '', '').err
        if not string.find(refusal, 'wrong number of arg', 1, true) then error(refusal) end
        redis.call('HEXISTS', hash, '')
      end
      """;

  /** KEYS writing; ARGV version, BUCKETS@LEASE. Renews a lease, unless the version was claimed. */
  private static final String RENEW =
      """
      local entry = redis.call('HGET', KEYS[1], ARGV[1]) or '@0'
      if string.sub(entry, -2) == '@0' then return 0 end
      redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
      return 1
      """;

  /**
   * KEYS version records, writing; ARGV version, version record. Makes a version complete, unless
   * it was claimed.
   */
  private static final String COMPLETE =
      TRY_HASH
          + """
      if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 1 end
      local lease = redis.call('HGET', KEYS[2], ARGV[1]) or '@0'
      if string.sub(lease, -2) == '@0' then return 0 end
      try(KEYS[1])
      try(KEYS[2])
      redis.call('HDEL', KEYS[2], ARGV[1])
      redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
      return 1
      """;

  /**
   * KEYS writing; ARGV now. Claims the versions whose lease ran out, by a lease of 0, which can't
   * be renewed; the result is their names, numbers of buckets and leases.
   */
  private static final String CLAIM =
      """
      local writing = redis.call('HGETALL', KEYS[1])
      local claimed = {}
      for i = 1, #writing, 2 do
        local buckets, lease = string.match(writing[i + 1], '^(%d+)@(%d+)$')
        if buckets and tonumber(lease) < tonumber(ARGV[1]) then
          redis.call('HSET', KEYS[1], writing[i], buckets .. '@0')
          claimed[#claimed + 1] = writing[i]
          claimed[#claimed + 1] = buckets
          claimed[#claimed + 1] = lease
        end
      end
      return claimed
      """;

  /**
   * KEYS release, services, pinned, events, then version records and writing of each view, then
   * entities; ARGV channel, whether to pin ('1') or to respect pins, number of views, then for each
   * view its name, version, base version or '', version record, entry expected ('' for none), new
   * entry and event, then name and definition of each service. All views or none: what may be
   * refused comes before the first change. The servers get the notice at once, and read after the
   * script has ended.
   */
  private static final String RELEASE =
      TRY_HASH
          + """
      local pins = ARGV[2] == '1'
      local views = tonumber(ARGV[3])
      local function argument(view, i) return ARGV[3 + (view - 1) * 7 + i] end
      for view = 1, views do
        local name, version, base = argument(view, 1), argument(view, 2), argument(view, 3)
        local manifests, writing = KEYS[3 + 2 * view], KEYS[4 + 2 * view]
        if not pins and redis.call('HEXISTS', KEYS[3], name) == 1 then return 'PINNED' end
        if (redis.call('HGET', KEYS[1], name) or '') ~= argument(view, 5) then return 'MOVED' end
        if redis.call('HEXISTS', manifests, version) == 0 then
          local lease = redis.call('HGET', writing, version) or '@0'
          if string.sub(lease, -2) == '@0' then return 'GONE' end
        end
        if base ~= '' and redis.call('HEXISTS', manifests, base) == 0 then return 'GONE' end
      end
      local last = -1
      for _, place in ipairs(redis.call('HVALS', KEYS[#KEYS])) do
        last = math.max(last, tonumber(place) or 0)
      end
      local places = {}
      for view = 1, views do
        local entity = cjson.decode(argument(view, 4)).entity
        if entity and not places[entity]
            and redis.call('HEXISTS', KEYS[#KEYS], entity) == 0 then
          last = last + 1
          places[entity] = tostring(last)
        end
      end
      try(KEYS[1])
      if #ARGV > 3 + views * 7 then try(KEYS[2]) end
      if pins then try(KEYS[3]) end
      for i = 5, #KEYS do try(KEYS[i]) end
      redis.call('PUBLISH', ARGV[1], ARGV[4])
      for view = 1, views do redis.call('RPUSH', KEYS[4], argument(view, 7)) end
      for entity, place in pairs(places) do redis.call('HSET', KEYS[#KEYS], entity, place) end
      for view = 1, views do
        local name, version = argument(view, 1), argument(view, 2)
        redis.call('HDEL', KEYS[4 + 2 * view], version)
        redis.call('HSET', KEYS[3 + 2 * view], version, argument(view, 4))
        redis.call('HSET', KEYS[1], name, argument(view, 6))
        if pins then redis.call('HSET', KEYS[3], name, argument(view, 6)) end
      end
      for i = 4 + views * 7, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
      return ''
      """;

  /**
   * KEYS release, version records, writing; ARGV view, version, BUCKETS@0. Refuses to prune the
   * released version and one that another version overlays.
   */
  private static final String PRUNE =
      TRY_HASH
          + """
      local entry = redis.call('HGET', KEYS[1], ARGV[1]) or ''
      if string.sub(entry, 1, #ARGV[2] + 1) == ARGV[2] .. '@' then return 0 end
      for _, manifest in ipairs(redis.call('HVALS', KEYS[2])) do
        local base = cjson.decode(manifest).base
        if base and base.version == ARGV[2] then return 0 end
      end
      try(KEYS[2])
      try(KEYS[3])
      if redis.call('HDEL', KEYS[2], ARGV[2]) == 0 then return 0 end
      redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
      return 1
      """;

  /**
   * KEYS release, pinned, events, entities, version records and writing of the view; ARGV channel,
   * view, moment, event or '' if nothing is released of it, entity if it goes with the view or '',
   * then view and entry of each release that the caller has seen. Takes the release back and leaves
   * all complete versions to be removed. What may be refused comes before the first change.
   */
  private static final String WITHDRAW =
      TRY_HASH
          + """
      local released = redis.call('HGETALL', KEYS[1])
      if #released ~= #ARGV - 5 then return 'MOVED' end
      for i = 6, #ARGV, 2 do
        if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 'MOVED' end
      end
      local writing = redis.call('HGETALL', KEYS[6])
      for i = 1, #writing, 2 do
        local lease = string.match(writing[i + 1], '^%d+@(%d+)$')
        if lease and tonumber(lease) >= tonumber(ARGV[3]) then return 'WRITING' end
      end
      local records = redis.call('HGETALL', KEYS[5])
      for _, i in ipairs({1, 2, 4, 5, 6}) do try(KEYS[i]) end
      redis.call('PUBLISH', ARGV[1], ARGV[2])
      if ARGV[4] ~= '' then redis.call('RPUSH', KEYS[3], ARGV[4]) end
      for i = 1, #records, 2 do
        local buckets = cjson.decode(records[i + 1]).buckets or 0
        redis.call('HSET', KEYS[6], records[i], string.format('%d@0', buckets))
        redis.call('HDEL', KEYS[5], records[i])
      end
      redis.call('HDEL', KEYS[2], ARGV[2])
      redis.call('HDEL', KEYS[1], ARGV[2])
      if ARGV[5] ~= '' then redis.call('HDEL', KEYS[4], ARGV[5]) end
      return ''
      """;

  private final RedisServers servers;
  private final RedisKeys keys;

  public VersionStore(RedisServers servers) {
    this.servers = servers;
    this.keys = servers.settings().keys();
  }

  /** The release of each feature view. */
  public Map<String, Release> releases() {
    return entries(keys.release());
  }

  /** The release to which a rollback has pinned each feature view. */
  public Map<String, Release> pins() {
    return entries(keys.pinned());
  }

  /** The release of a feature view. */
  public Optional<Release> released(String view) {
    return Optional.ofNullable(releases().get(view));
  }

  /**
   * The entity that was released first, from which requests that name none are answered; empty if
   * nothing is released, or an earlier Tarn did not note which it was.
   */
  public Optional<String> firstEntity() {
    return first(places());
  }

  /** The entity that {@link #firstEntity} will be once another one is no longer released. */
  public Optional<String> firstEntityWithout(String entity) {
    Map<String, Integer> others = places();
    others.remove(entity);
    return first(others);
  }

  private static Optional<String> first(Map<String, Integer> places) {
    int least = places.values().stream().mapToInt(Integer::intValue).min().orElse(0);
    List<String> first =
        places.keySet().stream().filter(entity -> places.get(entity) == least).toList();
    return first.size() == 1 ? Optional.of(first.get(0)) : Optional.empty();
  }

  /** The entities of all views that are released. */
  public Set<String> releasedEntities() {
    return new TreeSet<>(entities(releases()).values());
  }

  /** The entity of each view, in the version that is released and says it. */
  private Map<String, String> entities(Map<String, Release> releases) {
    Map<String, String> entities = new TreeMap<>();
    releases.forEach(
        (view, release) ->
            record(view, release.version())
                .map(VersionRecord::getEntity)
                .filter(entity -> !entity.isEmpty())
                .ifPresent(entity -> entities.put(view, entity)));
    return entities;
  }

  /** Lets pushes of a view release again. Answers false if it was not pinned. */
  public boolean unpin(String view) {
    return atControl(jedis -> jedis.hdel(keys.pinned(), view)) == 1;
  }

  /** The complete versions of a view, newest first. */
  public List<VersionRecord> records(String view) {
    List<VersionRecord> records = new ArrayList<>();
    atControl(jedis -> jedis.hgetAll(keys.manifests(view)))
        .forEach((version, json) -> records.add(parse(view, version, json)));
    records.sort(
        Comparator.comparing(
                (VersionRecord record) -> record.getCreatedAt(),
                com.google.protobuf.util.Timestamps.comparator())
            .reversed());
    return records;
  }

  /** A complete version. */
  public Optional<VersionRecord> record(String view, String version) {
    return Optional.ofNullable(atControl(jedis -> jedis.hget(keys.manifests(view), version)))
        .map(json -> parse(view, version, json));
  }

  /** The record of the version that is released. */
  public Optional<VersionRecord> releasedRecord(String view) {
    return released(view).flatMap(release -> record(view, release.version()));
  }

  /**
   * Begins a version under a name that was never used and never will be: a counter for its place in
   * the order, and 30 random bits for the case that Redis loses the counter.
   *
   * @param lease the time for which it is left alone without a sign of life from its push
   */
  public String mint(String view, int buckets, Duration lease) {
    StringBuilder suffix = new StringBuilder();
    for (int i = 0; i < 6; i++) {
      suffix.append(LETTERS.charAt(RANDOM.nextInt(LETTERS.length())));
    }
    return atControl(
        jedis -> {
          String version = "v" + jedis.incr(keys.sequence()) + "-" + suffix;
          jedis.hset(keys.writing(view), version, entry(jedis, buckets, lease));
          return version;
        });
  }

  /** Says that the push of a version is alive. Answers false if the version has been claimed. */
  public boolean renew(String view, String version, int buckets, Duration lease) {
    return atControl(
        jedis ->
            isOne(
                jedis.eval(
                    RENEW,
                    List.of(keys.writing(view)),
                    List.of(version, entry(jedis, buckets, lease)))));
  }

  /**
   * Makes a version complete without a release: the live job begins with it. Answers false if the
   * version has been claimed.
   */
  public boolean complete(VersionRecord record) {
    String view = record.getFeatureView();
    return atControl(
        jedis ->
            isOne(
                jedis.eval(
                    COMPLETE,
                    List.of(keys.manifests(view), keys.writing(view)),
                    List.of(record.getVersion(), ControlJson.print(record)))));
  }

  /** How far the live cells of a generation are, by partition; empty: nothing has been applied. */
  public Map<Integer, Progress> progress(String view, String generation) {
    Map<String, String> stored = atControl(jedis -> jedis.hgetAll(keys.applied(view, generation)));
    return Progress.parse(stored);
  }

  /**
   * Makes versions the ones that lookups answer from, all in the same instant, and tells the
   * servers. This happens only if the views' releases are still those that the caller has seen.
   *
   * @param at the moment of the release; see {@link #now}
   * @param pins whether later pushes are to leave the views alone; if not, pins are respected
   * @param services definitions to store in the same instant
   * @return why nothing was released; empty: all was
   */
  public Optional<ReleaseRefusal> release(
      List<Candidate> candidates, Instant at, boolean pins, List<StoredService> services) {
    return release(candidates, at, pins, services, Set.of());
  }

  /**
   * Releases as {@link #release(List, Instant, boolean, List)} does, unless Redis may have lost
   * what it had confirmed.
   *
   * @param runs the runs of the servers from before the rows were read back; empty: any
   */
  public Optional<ReleaseRefusal> release(
      List<Candidate> candidates,
      Instant at,
      boolean pins,
      List<StoredService> services,
      Set<String> runs) {
    if (!runs.isEmpty() && !servers.runs().equals(runs)) {
      return Optional.of(ReleaseRefusal.RESTARTED);
    }
    List<String> keysUsed =
        new ArrayList<>(List.of(keys.release(), keys.services(), keys.pinned(), keys.events()));
    List<String> values = new ArrayList<>();
    values.add(keys.releasedChannel());
    values.add(pins ? "1" : "0");
    values.add(Integer.toString(candidates.size()));
    for (Candidate candidate : candidates) {
      VersionRecord record = candidate.record();
      keysUsed.add(keys.manifests(record.getFeatureView()));
      keysUsed.add(keys.writing(record.getFeatureView()));
      values.add(record.getFeatureView());
      values.add(record.getVersion());
      values.add(record.getBase().getVersion());
      values.add(ControlJson.print(record));
      values.add(candidate.seen().map(Release::format).orElse(""));
      values.add(new Release(record.getVersion(), at).format());
      values.add(ControlJson.print(candidate.event()));
    }
    for (StoredService service : services) {
      values.add(service.getName());
      values.add(ControlJson.print(service));
    }
    keysUsed.add(keys.entities());
    notePlaces();
    String refusal =
        atControl(
            jedis ->
                // Over the connection that the release takes: one that lives sees no restart.
                runs.isEmpty() || runs.contains(RedisServers.run(jedis))
                    ? (String) jedis.eval(RELEASE, keysUsed, values)
                    : ReleaseRefusal.RESTARTED.name());
    if (refusal.isEmpty()) {
      return Optional.empty();
    }
    // The answer to a first attempt may have been lost, and this was the second.
    Map<String, Release> released = releases();
    boolean isOurs =
        candidates.stream()
            .allMatch(
                candidate ->
                    new Release(candidate.record().getVersion(), at)
                        .equals(released.get(candidate.record().getFeatureView())));
    return isOurs ? Optional.empty() : Optional.of(ReleaseRefusal.valueOf(refusal));
  }

  /** The definitions of feature services, in order of name. */
  public List<StoredService> services() {
    List<StoredService> services = new ArrayList<>();
    Map<String, String> texts = atControl(jedis -> jedis.hgetAll(keys.services()));
    new TreeMap<>(texts)
        .forEach(
            (name, json) -> {
              try {
                services.add(ControlJson.parse(json, StoredService.newBuilder()).build());
              } catch (InvalidProtocolBufferException e) {
                throw new TarnException(
                    "feature service %s can't be read: %s".formatted(name, e.getMessage()), e);
              }
            });
    return services;
  }

  /**
   * Stores the definitions of feature services that are new or have changed, and tells the servers.
   *
   * @return the names of those that are new or have changed
   */
  public List<String> storeServices(String view, List<StoredService> services) {
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
   * Takes a complete version out of the list, so that {@link #removeLater} may remove its rows. A
   * push that dies in between leaves it to the next one. Answers false if the version is released,
   * under an overlay or gone.
   */
  public boolean prune(VersionRecord record) {
    String view = record.getFeatureView();
    return atControl(
        jedis ->
            isOne(
                jedis.eval(
                    PRUNE,
                    List.of(keys.release(), keys.manifests(view), keys.writing(view)),
                    List.of(view, record.getVersion(), record.getBuckets() + "@0"))));
  }

  /**
   * Takes back the release of a view, its pin and its complete versions, all in the same instant,
   * and tells the servers. The versions are left to {@link #claimAbandoned}. If the view was the
   * last one of its entity, the entity goes too.
   *
   * @param event gives the end of the release at this moment, for the release history; empty if
   *     nothing is released
   * @return false if a push of the view is under way; then nothing is changed
   */
  public boolean withdraw(String view, Supplier<Optional<ReleaseEvent>> event) {
    while (true) {
      Map<String, Release> seen = releases();
      Optional<String> entity = entityOfNoOther(view, seen);
      List<String> values = new ArrayList<>();
      values.add(keys.releasedChannel());
      values.add(view);
      values.add(Long.toString(now().toEpochMilli()));
      values.add(event.get().map(ControlJson::print).orElse(""));
      values.add(entity.orElse(""));
      seen.forEach(
          (name, release) -> {
            values.add(name);
            values.add(release.format());
          });
      List<String> keysUsed =
          List.of(
              keys.release(),
              keys.pinned(),
              keys.events(),
              keys.entities(),
              keys.manifests(view),
              keys.writing(view));
      String refusal = atControl(jedis -> (String) jedis.eval(WITHDRAW, keysUsed, values));
      if (!refusal.equals("MOVED")) {
        return refusal.isEmpty();
      }
    }
  }

  /** The entity of a released view, if no other view of these releases has it. */
  public Optional<String> entityOfNoOther(String view, Map<String, Release> releases) {
    Map<String, String> others = entities(releases);
    Optional<String> entity = Optional.ofNullable(others.remove(view));
    return entity.filter(own -> !others.containsValue(own));
  }

  /**
   * Claims the versions that dead pushes left behind, so that their rows may be removed: should
   * such a push be alive after all, it can no longer complete its version.
   *
   * @return those claimed now, and those claimed or pruned before that are not removed yet
   */
  public List<Abandoned> claimAbandoned(String view) {
    return atControl(
        jedis -> {
          String now = Long.toString(millis(jedis));
          List<?> claimed = (List<?>) jedis.eval(CLAIM, List.of(keys.writing(view)), List.of(now));
          List<Abandoned> abandoned = new ArrayList<>();
          for (int i = 0; i < claimed.size(); i += 3) {
            abandoned.add(
                new Abandoned(
                    (String) claimed.get(i),
                    Integer.parseInt((String) claimed.get(i + 1)),
                    claimed.get(i + 2).equals("0")));
          }
          return abandoned;
        });
  }

  /**
   * Lets the rows of a version that is going to be released stay for good.
   *
   * @return the number of buckets that were there and did not stay yet
   */
  public int persist(VersionRecord record) {
    AtomicInteger persisted = new AtomicInteger();
    eachBucket(
        record.getFeatureView(),
        record.getVersion(),
        record.getBuckets(),
        Protocol.Command.PERSIST,
        answer -> persisted.addAndGet(isOne(answer) ? 1 : 0),
        bucket -> List.of());
    return persisted.get();
  }

  /**
   * Removes all rows of a version that nobody looks up any more, a while from now and little by
   * little. While Redis removes keys that have expired, everybody waits; with many such keys at
   * once that takes up to a quarter of its time.
   */
  public void removeLater(String view, String version, int buckets, Duration grace) {
    eachBucket(
        view,
        version,
        buckets,
        Protocol.Command.PEXPIRE,
        answer -> {},
        bucket -> List.of(Long.toString(grace.toMillis() + bucket / EXPIRED_PER_MILLISECOND)));
  }

  /** Removes all rows of a version that nobody can see. */
  public void remove(String view, String version, int buckets) {
    eachBucket(view, version, buckets, Protocol.Command.UNLINK, answer -> {}, bucket -> List.of());
  }

  /**
   * Removes the entry of a version whose rows are removed. Until then a push that dies leaves the
   * version to the next one.
   */
  public void removeEntry(String view, String version) {
    atControl(jedis -> jedis.hdel(keys.writing(view), version));
  }

  /** The generations of a view that have live cells, with the number of their buckets. */
  public Map<String, String> liveGenerations(String view) {
    return atControl(jedis -> jedis.hgetAll(keys.generations(view)));
  }

  /**
   * Removes the live cells of a generation and its progress.
   *
   * @param grace the time for which lookups that are under way may still read the cells
   */
  public void removeLive(String view, String generation, int buckets, Duration grace) {
    removeLater(view, RedisKeys.liveVersion(generation), buckets, grace);
    // Without progress nothing is answered from then on.
    atControl(
        jedis -> {
          jedis.unlink(keys.applied(view, generation), keys.runs(view, generation));
          return jedis.hdel(keys.generations(view), generation);
        });
  }

  /** The releases, as JSON, that the release history in Iceberg does not have yet. */
  public List<String> events() {
    return atControl(jedis -> jedis.lrange(keys.events(), 0, -1));
  }

  /** Removes releases that the history has. */
  public void removeEvents(List<String> events) {
    atControl(
        jedis -> {
          events.forEach(event -> jedis.lrem(keys.events(), 1, event));
          return null;
        });
  }

  /** Redis's clock: the machines that push may not agree on the time. */
  public Instant now() {
    return atControl(jedis -> Instant.ofEpochMilli(millis(jedis)));
  }

  private void eachBucket(
      String view,
      String version,
      int buckets,
      ProtocolCommand command,
      Consumer<Object> onAnswer,
      IntFunction<List<String>> arguments) {
    Buckets own = new Buckets(keys, view, version, buckets);
    try (BucketPipeline pipeline = new BucketPipeline(servers)) {
      for (int bucket = 0; bucket < buckets; bucket++) {
        byte[] key = own.key(bucket);
        List<byte[]> words = new ArrayList<>(List.of(key));
        arguments
            .apply(bucket)
            .forEach(word -> words.add(word.getBytes(StandardCharsets.ISO_8859_1)));
        pipeline.send(key, command, key.length, onAnswer, words.toArray(new byte[0][]));
      }
      pipeline.flush();
    } catch (JedisException e) {
      throw Refusals.explain(servers.settings(), e).orElseThrow();
    }
  }

  /**
   * Notes the entities that an earlier Tarn has released. Which of them was the first is not known,
   * so all get the same place.
   */
  private void notePlaces() {
    Map<String, Release> releases = releases();
    if (releases.isEmpty() || !places().isEmpty()) {
      return;
    }
    for (String entity : entities(releases).values()) {
      atControl(jedis -> jedis.hset(keys.entities(), entity, "0"));
    }
  }

  private Map<String, Integer> places() {
    Map<String, Integer> places = new TreeMap<>();
    atControl(jedis -> jedis.hgetAll(keys.entities()))
        .forEach((entity, place) -> places.put(entity, Integer.parseInt(place)));
    return places;
  }

  private Map<String, Release> entries(String key) {
    Map<String, Release> entries = new TreeMap<>();
    atControl(jedis -> jedis.hgetAll(key))
        .forEach((view, entry) -> entries.put(view, Release.parse(entry)));
    return entries;
  }

  private static String entry(Jedis jedis, int buckets, Duration lease) {
    return buckets + "@" + (millis(jedis) + lease.toMillis());
  }

  private static long millis(Jedis jedis) {
    List<String> time = jedis.time();
    return Long.parseLong(time.get(0)) * 1_000 + Long.parseLong(time.get(1)) / 1_000;
  }

  private static boolean isOne(Object answer) {
    return Long.valueOf(1).equals(answer);
  }

  private static VersionRecord parse(String view, String version, String json) {
    try {
      return ControlJson.parse(json, VersionRecord.newBuilder()).build();
    } catch (InvalidProtocolBufferException e) {
      throw new TarnException(
          "the record of version %s of %s can't be read: %s"
              .formatted(version, view, e.getMessage()),
          e);
    }
  }

  /** The control keys share one slot, so one server has them all. */
  private <T> T atControl(Function<Jedis, T> work) {
    return servers.at(keys.release(), work);
  }
}

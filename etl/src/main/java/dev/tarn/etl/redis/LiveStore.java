package dev.tarn.etl.redis;

import dev.tarn.layer.Buckets;
import dev.tarn.live.Progress;
import dev.tarn.live.Token;
import dev.tarn.redis.RedisKeys;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.util.JedisClusterCRC16;

/**
 * Live cells and the progress of the live job, over connections that are never made anew: once one
 * is lost, or refuses, everything here fails, and the job asks Redis how far it is. So whatever was
 * answered is there, in the order in which it was sent. Not thread-safe.
 *
 * <p>An entry is replaced only if it is still the one that the writer has seen, and progress goes
 * up only if Redis has all progress that the writer knows of.
 */
public final class LiveStore implements AutoCloseable {

  /** Entries that one script replaces at the most, and their bytes. */
  private static final int MOST_ENTRIES = 64;

  private static final int MOST_BYTES = 1 << 16;

  /** Of an entry that is not there. */
  private static final byte[] NOTHING = new byte[0];

  /**
   * KEYS buckets; ARGV for each of them: entity id, token expected ('' for no entry), new entry (''
   * to remove it). The result has, of those that have another token, the number and the entry (''
   * for none).
   */
  private static final String REPLACE =
      """
      local others = {}
      for i = 1, #KEYS do
        local id, entry = ARGV[3 * i - 2], ARGV[3 * i]
        local present = redis.call('HGET', KEYS[i], id) or ''
        if string.sub(present, 1, 8) ~= ARGV[3 * i - 1] then
          others[#others + 1] = i
          others[#others + 1] = present
        elseif entry ~= '' then
          redis.call('HSET', KEYS[i], id, entry)
        elseif present ~= '' then
          redis.call('HDEL', KEYS[i], id)
        end
      end
      return others
      """;

  /**
   * KEYS applied, runs; ARGV runs of the servers, then for each partition: partition, the NEXT that
   * Redis must have at least (-1: any), and FROM, NEXT, THROUGH. The result has the partitions that
   * Redis knows less of, or that somebody else has begun under other runs; then nothing is changed.
   */
  private static final String ADVANCE =
      """
      local back = {}
      local stored = {}
      for i = 2, #ARGV, 5 do
        local progress = redis.call('HGET', KEYS[1], ARGV[i]) or ''
        local from, next, through = string.match(progress, '^(%d+) (%d+) (-?%d+)$')
        stored[i] = {tonumber(from or 0), tonumber(next or -1), tonumber(through or 0)}
        if stored[i][2] < tonumber(ARGV[i + 1])
            or redis.call('HGET', KEYS[2], ARGV[i]) ~= ARGV[1] then
          back[#back + 1] = ARGV[i]
        end
      end
      if #back > 0 then return back end
      for i = 2, #ARGV, 5 do
        redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f %.0f %.0f',
          math.max(stored[i][1], tonumber(ARGV[i + 2])),
          math.max(stored[i][2], tonumber(ARGV[i + 3])),
          math.max(stored[i][3], tonumber(ARGV[i + 4]))))
      end
      return back
      """;

  /**
   * KEYS applied, runs, generations; ARGV partition, its progress as it was seen ('' for none),
   * what takes its place ('' for nothing), runs of the servers, generation, number of its buckets.
   * The result is 0 if the progress is another one.
   */
  private static final String BEGIN =
      """
      if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
      redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
      redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
      if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
      return 1
      """;

  /**
   * The cells of a generation.
   *
   * @param buckets where they are
   */
  public record Generation(String view, String name, Buckets buckets) {

    /** The cells of a generation in a number of buckets. */
    public static Generation of(RedisKeys keys, String view, String name, int buckets) {
      return new Generation(
          view, name, new Buckets(keys, view, RedisKeys.liveVersion(name), buckets));
    }
  }

  /**
   * A step of one partition.
   *
   * @param floor the NEXT that Redis has at least; -1: nothing is known of it
   */
  public record Step(long floor, Progress to) {}

  /** An entry to replace. */
  @SuppressWarnings("ArrayRecordComponent") // Nobody compares them.
  private record Replacement(
      byte[] bucket, byte[] id, byte[] token, byte[] entry, Consumer<Optional<byte[]>> onOther) {}

  private static final class Group {
    private final List<Replacement> entries = new ArrayList<>();
    private int bytes;
  }

  private final RedisServers servers;
  private final RedisKeys keys;
  private final BucketPipeline pipeline;
  private final boolean isCluster;
  private final String runs;
  private final byte[] replace;
  private final byte[] advance;
  private final byte[] begin;

  /** By slot, or all under one number where keys need not be of one slot. */
  private final Map<Integer, Group> groups = new HashMap<>();

  private LiveStore(RedisServers servers) {
    this.servers = servers;
    keys = servers.settings().keys();
    isCluster = servers.isCluster();
    pipeline = BucketPipeline.unbroken(servers);
    runs = runs(servers);
    replace = load(REPLACE);
    advance = load(ADVANCE);
    begin = load(BEGIN);
  }

  /**
   * Connects, whichever servers have the keys now.
   *
   * @throws dev.tarn.cli.TarnException if Redis stays away, or refuses
   */
  public static LiveStore open(RedisServers servers) {
    servers.refresh();
    return new LiveStore(servers);
  }

  /** The runs of the servers that have keys, as progress is kept under them. */
  public static String runs(RedisServers servers) {
    return String.join(" ", new TreeSet<>(servers.runs()));
  }

  /** The runs of the servers when this connected. */
  public String runs() {
    return runs;
  }

  /**
   * Whether the servers can lose something one by one: then progress, which one of them has, does
   * not tell what the others have.
   */
  public boolean isCluster() {
    return isCluster;
  }

  private byte[] load(String script) {
    String sha = "";
    for (HostAndPort server : servers.masters()) {
      sha = servers.at(server, jedis -> jedis.scriptLoad(script));
    }
    return bytes(sha);
  }

  /** The progress of each partition that has any. */
  public Map<Integer, Progress> progress(Generation generation) {
    Map<Integer, Progress> progress = new TreeMap<>();
    hash(keys.applied(generation.view(), generation.name()))
        .forEach(
            (partition, text) -> progress.put(Integer.valueOf(partition), Progress.parse(text)));
    return progress;
  }

  /** The runs under which each partition was begun. */
  public Map<Integer, String> runsOf(Generation generation) {
    Map<Integer, String> found = new TreeMap<>();
    hash(keys.runs(generation.view(), generation.name()))
        .forEach((partition, text) -> found.put(Integer.valueOf(partition), text));
    return found;
  }

  private Map<String, String> hash(String key) {
    Map<String, String> fields = new TreeMap<>();
    byte[] name = bytes(key);
    pipeline.send(
        name,
        Protocol.Command.HGETALL,
        name.length,
        answer -> {
          List<?> words = (List<?>) answer;
          for (int i = 0; i < words.size(); i += 2) {
            fields.put(text(words.get(i)), text(words.get(i + 1)));
          }
        },
        name);
    pipeline.flush();
    return fields;
  }

  /**
   * Begins with a partition, under the present runs of the servers.
   *
   * @param seen its progress as {@link #progress} gave it
   * @param rewound what takes the place of that, where Redis has lost cells
   * @return false if the progress is another one by now
   */
  public boolean begin(
      Generation generation, int partition, Optional<Progress> seen, Optional<Progress> rewound) {
    byte[] applied = bytes(keys.applied(generation.view(), generation.name()));
    boolean[] isBegun = new boolean[1];
    send(
        begin,
        List.of(
            applied,
            bytes(keys.runs(generation.view(), generation.name())),
            bytes(keys.generations(generation.view()))),
        answer -> isBegun[0] = Long.valueOf(1).equals(answer),
        bytes(Integer.toString(partition)),
        bytes(seen.map(Progress::format).orElse("")),
        bytes(rewound.map(Progress::format).orElse("")),
        bytes(runs),
        bytes(generation.name()),
        bytes(Integer.toString(generation.buckets().count())));
    pipeline.flush();
    return isBegun[0];
  }

  /** Reads an entry; the answer is there after {@link #flush}. */
  public void read(Generation generation, byte[] id, Consumer<Optional<byte[]>> onEntry) {
    byte[] bucket = generation.buckets().keyOf(id);
    pipeline.send(
        bucket,
        Protocol.Command.HGET,
        bucket.length + id.length,
        answer -> onEntry.accept(Optional.ofNullable((byte[]) answer)),
        bucket,
        id);
  }

  /**
   * Replaces an entry, if it has the token that is expected; done after {@link #flush}.
   *
   * @param token of the entry that the writer has seen; empty: there was none
   * @param entry with its token; empty: the entry is removed
   * @param onOther takes the entry that is there, if it has another token
   */
  public void replace(
      Generation generation,
      byte[] id,
      byte[] token,
      byte[] entry,
      Consumer<Optional<byte[]>> onOther) {
    byte[] bucket = generation.buckets().keyOf(id);
    int place = isCluster ? JedisClusterCRC16.getSlot(bucket) : 0;
    Group group = groups.computeIfAbsent(place, p -> new Group());
    group.entries.add(new Replacement(bucket, id, token, entry, onOther));
    group.bytes += bucket.length + id.length + entry.length;
    if (group.entries.size() >= MOST_ENTRIES || group.bytes >= MOST_BYTES) {
      groups.remove(place);
      send(group);
    }
  }

  /** Waits for all answers. */
  public void flush() {
    List<Group> left = new ArrayList<>(groups.values());
    groups.clear();
    left.forEach(this::send);
    pipeline.flush();
  }

  private void send(Group group) {
    List<byte[]> buckets = new ArrayList<>();
    List<byte[]> values = new ArrayList<>();
    for (Replacement entry : group.entries) {
      buckets.add(entry.bucket());
      values.add(entry.id());
      values.add(entry.token());
      values.add(entry.entry());
    }
    send(
        replace,
        buckets,
        answer -> {
          List<?> others = (List<?>) answer;
          for (int i = 0; i < others.size(); i += 2) {
            Replacement entry = group.entries.get(Math.toIntExact((Long) others.get(i)) - 1);
            byte[] present = (byte[]) others.get(i + 1);
            // The same cells: what was wanted is there.
            boolean isDone = present.length == 0 && entry.entry().length == 0;
            if (!isDone && !Arrays.equals(tokenOf(present), tokenOf(entry.entry()))) {
              entry.onOther().accept(Optional.of(present).filter(found -> found.length > 0));
            }
          }
        },
        values.toArray(new byte[0][]));
  }

  /** The token that an entry begins with; of no entry, nothing. */
  public static byte[] tokenOf(byte[] entry) {
    return entry.length < Token.BYTES ? NOTHING : Arrays.copyOf(entry, Token.BYTES);
  }

  /**
   * Moves progress up, in all partitions or in none.
   *
   * @return the partitions of which Redis has less than the writer knows of; empty: it is done
   */
  public List<Integer> advance(Generation generation, Map<Integer, Step> steps) {
    List<byte[]> values = new ArrayList<>(List.of(bytes(runs)));
    steps.forEach(
        (partition, step) -> {
          Progress to = step.to();
          for (long number :
              new long[] {partition, step.floor(), to.from(), to.next(), to.through()}) {
            values.add(bytes(Long.toString(number)));
          }
        });
    List<Integer> back = new ArrayList<>();
    send(
        advance,
        List.of(
            bytes(keys.applied(generation.view(), generation.name())),
            bytes(keys.runs(generation.view(), generation.name()))),
        answer ->
            ((List<?>) answer).forEach(partition -> back.add(Integer.valueOf(text(partition)))),
        values.toArray(new byte[0][]));
    pipeline.flush();
    return back;
  }

  /**
   * Reads some entries of a bucket.
   *
   * @param cursor 0, or what the call before returned
   * @param onEntry takes id and entry; an entry may come twice
   * @return where to go on; 0: these were the last
   */
  public byte[] scan(
      Generation generation, int bucket, byte[] cursor, int count, EntryVisitor onEntry) {
    byte[] key = generation.buckets().key(bucket);
    List<Object> found = new ArrayList<>();
    pipeline.send(
        key,
        Protocol.Command.HSCAN,
        key.length,
        answer -> found.addAll((List<?>) answer),
        key,
        cursor,
        bytes("COUNT"),
        bytes(Integer.toString(count)));
    pipeline.flush();
    List<?> fields = (List<?>) found.get(1);
    for (int i = 0; i < fields.size(); i += 2) {
      onEntry.visit((byte[]) fields.get(i), (byte[]) fields.get(i + 1));
    }
    return (byte[]) found.get(0);
  }

  /** Takes the entries of a bucket. */
  @FunctionalInterface
  public interface EntryVisitor {
    void visit(byte[] id, byte[] entry);
  }

  private void send(
      byte[] sha, List<byte[]> scriptKeys, Consumer<Object> onAnswer, byte[]... arguments) {
    byte[][] words = new byte[2 + scriptKeys.size() + arguments.length][];
    words[0] = sha;
    words[1] = bytes(Integer.toString(scriptKeys.size()));
    int weight = 0;
    for (int i = 0; i < scriptKeys.size(); i++) {
      words[2 + i] = scriptKeys.get(i);
    }
    for (int i = 0; i < arguments.length; i++) {
      words[2 + scriptKeys.size() + i] = arguments[i];
      weight += arguments[i].length;
    }
    pipeline.send(scriptKeys.get(0), Protocol.Command.EVALSHA, weight, onAnswer, words);
  }

  /** Breaks off what is under way. */
  @Override
  public void close() {
    pipeline.close();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String text(Object bytes) {
    return new String((byte[]) bytes, StandardCharsets.UTF_8);
  }
}

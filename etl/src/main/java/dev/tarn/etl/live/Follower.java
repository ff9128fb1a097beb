package dev.tarn.etl.live;

import com.google.common.base.Throwables;
import com.google.common.hash.HashCode;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.KafkaSettings;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.archive.TopicClient;
import dev.tarn.etl.archive.TopicState;
import dev.tarn.etl.archive.TopicState.Extent;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.input.EventMessages;
import dev.tarn.etl.input.InputException;
import dev.tarn.etl.input.MessageFormat;
import dev.tarn.etl.redis.LiveStore;
import dev.tarn.etl.redis.LiveStore.Step;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.Refusals;
import dev.tarn.etl.window.EventIdReader;
import dev.tarn.etl.window.EventReader;
import dev.tarn.etl.window.EventReader.EntityEvent;
import dev.tarn.live.Progress;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.internal.SQLConf;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Follows one source: reads the partitions that Kafka assigns, applies their events to the views'
 * cells in Redis, and then moves their progress there. Where to begin, Redis says: once a
 * connection to it is lost, everything that this process remembers is forgotten, and the partitions
 * begin anew.
 */
final class Follower {

  private static final Duration POLL = Duration.ofMillis(100);
  private static final long PROGRESS_EVERY = TimeUnit.MILLISECONDS.toNanos(50);

  /** Events of a batch that is worth another thread. */
  private static final int LARGE = 5_000;

  private static final long LEAST_PAUSE = 100;
  private static final long LONGEST_PAUSE = 1_000;

  /** A minute, by which the clocks of brokers and of this machine may differ at the most. */
  private static final long CLOCKS = 60_000;

  /** The progress of one view in one partition. */
  private static final class Place {
    /** What Redis has confirmed; -1: nothing. */
    private long floor;

    private long from;
    private long next;
    private long through;
    private boolean isNew;
  }

  /** One view while it is followed. */
  private static final class Followed {
    private final LiveView view;
    private final EventReader reader;
    private final EntityWriter writer;
    private final ViewMetrics metrics;
    private KeptBases bases;
    private final Map<Integer, Place> places = new TreeMap<>();
    private boolean isTold;

    private Followed(
        LiveView view,
        EventReader reader,
        EntityWriter writer,
        ViewMetrics metrics,
        KeptBases bases) {
      this.view = view;
      this.reader = reader;
      this.writer = writer;
      this.metrics = metrics;
      this.bases = bases;
    }
  }

  /**
   * Events that are being written.
   *
   * @param moves is run once they are in Redis
   */
  private record Write(Future<?> done, Runnable moves) {}

  private final Source source;
  private final String topic;
  private final List<LiveView> views;
  private final LiveSettings settings;
  private final KafkaSettings kafka;
  private final SQLConf sql;
  private final RedisServers servers;
  private final BaseWatch watch;
  private final SourceMetrics metrics;
  private final Console console;
  private final StopSignal stop;

  private final EventMessages messages;
  private final Optional<EventIdReader> ids;
  private final Map<Integer, RepeatedIds> known = new HashMap<>();
  private final Map<String, EventReader> readers = new HashMap<>();
  private final Map<String, Followed> followed = new TreeMap<>();

  /** The assigned partitions, and those of them that don't have a position yet. */
  private final Set<Integer> assigned = new TreeSet<>();

  private final Set<Integer> unplaced = new TreeSet<>();
  private KafkaConsumer<byte[], byte[]> consumer;
  private volatile TopicProbes probes;
  private Optional<LiveStore> store = Optional.empty();
  private String placedId = "";
  private long pause = LEAST_PAUSE;
  private long lastProgress;

  /** Writes a large batch while the next one is read. */
  private final ExecutorService writing =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread thread = new Thread(work, "live-writing");
            thread.setDaemon(true);
            return thread;
          });

  private Optional<Write> underWay = Optional.empty();

  /** The partitions of this process, for other threads. */
  private volatile Set<Integer> share = Set.of();

  Follower(
      List<LiveView> views,
      LiveSettings settings,
      KafkaSettings kafka,
      SQLConf sql,
      RedisServers servers,
      BaseWatch watch,
      SourceMetrics metrics,
      Console console,
      StopSignal stop) {
    this.views = views;
    this.source = views.get(0).source();
    this.topic = source.stream().orElseThrow().topic();
    this.settings = settings;
    this.kafka = kafka;
    this.sql = sql;
    this.servers = servers;
    this.watch = watch;
    this.metrics = metrics;
    this.console = console;
    this.stop = stop;
    messages = new EventMessages(MessageFormat.of(source));
    ids = source.eventId().map(id -> EventReader.under(sql, () -> new EventIdReader(source)));
    for (LiveView view : views) {
      readers.put(view.name(), EventReader.under(sql, () -> EventReader.of(view.view())));
    }
  }

  /** The partitions that this process follows. */
  Set<Integer> share() {
    return share;
  }

  /** Number of the topic's partitions; 0: not known yet. */
  int partitions() {
    return probes == null ? 0 : probes.state().partitions().size();
  }

  SourceMetrics metrics() {
    return metrics;
  }

  Source source() {
    return source;
  }

  List<LiveView> views() {
    return views;
  }

  String topicId() {
    return probes == null ? "" : probes.state().id();
  }

  /**
   * Follows until it is to stop.
   *
   * @throws TarnException if it can't go on
   */
  void run() {
    try (TopicClient client = new TopicClient(kafka, topic)) {
      if (source.eventId().isPresent() && !client.hasAppendTime()) {
        throw new TarnException(
            "topic '%s' of source '%s' has message.timestamp.type = CreateTime: with event-id a live view needs the time at which a message arrives. Set message.timestamp.type=LogAppendTime on the topic, or leave out live"
                .formatted(topic, source.name()));
      }
      try (TopicProbes ends = new TopicProbes(client, metrics, stop);
          KafkaConsumer<byte[], byte[]> polled = new KafkaConsumer<>(consumerSettings(true))) {
        probes = ends;
        consumer = polled;
        consumer.subscribe(List.of(topic), new Rebalances());
        while (!stop.isAsked()) {
          turn();
        }
        finish();
      }
    } catch (KafkaException e) {
      throw new TarnException(
          "source '%s' can't be followed: Kafka at '%s' (settings below 'kafka'): %s"
              .formatted(source.name(), kafka.servers(), Causes.reason(e)),
          e);
    } finally {
      writing.shutdown();
      store.ifPresent(LiveStore::close);
    }
  }

  private Map<String, Object> consumerSettings(boolean isOfGroup) {
    Map<String, Object> all = new HashMap<>();
    all.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, 100);
    all.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 8 << 20);
    all.put(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, 32 << 20);
    all.put(ConsumerConfig.RECEIVE_BUFFER_CONFIG, 1 << 20);
    all.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, settings.batch());
    // A partition that is added is found soon.
    all.put(ConsumerConfig.METADATA_MAX_AGE_CONFIG, 5_000);
    all.putAll(kafka.properties());
    all.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    all.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
    all.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    all.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    if (isOfGroup) {
      all.put(ConsumerConfig.GROUP_ID_CONFIG, Groups.of(settings, source.name(), views));
      all.put(
          ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG,
          CooperativeStickyAssignor.class.getName());
    }
    return all;
  }

  private final class Rebalances implements ConsumerRebalanceListener {

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      metrics.rebalanced();
      for (TopicPartition partition : partitions) {
        // Positions come from Redis; until it has given one, nothing is read.
        consumer.seek(partition, 0);
        assigned.add(partition.partition());
        unplaced.add(partition.partition());
      }
      consumer.pause(partitions);
      share = Set.copyOf(assigned);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      try {
        awaitWrite();
        passOver();
        advance(true);
      } catch (RuntimeException e) {
        // Who gets them begins earlier.
        lose(e);
      }
      letGo(partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      try {
        awaitWrite();
      } catch (RuntimeException e) {
        lose(e);
      }
      letGo(partitions);
    }

    private void letGo(Collection<TopicPartition> partitions) {
      for (TopicPartition named : partitions) {
        int partition = named.partition();
        assigned.remove(partition);
        unplaced.remove(partition);
        known.remove(partition);
        metrics.gone(partition);
        followed.values().forEach(view -> view.places.remove(partition));
      }
      share = Set.copyOf(assigned);
    }
  }

  private void turn() {
    try {
      follow();
      if (store.isEmpty()) {
        store = Optional.of(LiveStore.open(servers));
      }
      if (!watch.runs().isEmpty() && !watch.runs().equals(store.get().runs())) {
        // A connection that lives tells nothing of other servers.
        throw new EntityWriter.WentBackException(
            "a Redis server was restarted, or another took over");
      }
      if (!probes.state().id().equals(placedId)) {
        unplaced.addAll(assigned);
      }
      if (!unplaced.isEmpty() && !followed.isEmpty()) {
        awaitWrite();
        place();
      }
      ConsumerRecords<byte[], byte[]> records =
          consumer.poll(underWay.isPresent() ? Duration.ZERO : POLL);
      if (store.isEmpty()) {
        // Lost while partitions were divided anew: all are placed and read again.
        consumer.pause(consumer.assignment());
      } else if (records.isEmpty()) {
        awaitWrite();
      } else {
        apply(records);
      }
      if (underWay.isEmpty()) {
        passOver();
        advance(false);
      }
      metrics.stopped(probes.trouble().map(TarnException::getMessage));
      pause = LEAST_PAUSE;
    } catch (OffsetOutOfRangeException e) {
      probes.look();
      unplaced.addAll(assigned);
      consumer.pause(consumer.assignment());
    } catch (JedisException | TarnException | EntityWriter.WentBackException e) {
      lose(e);
      wait(e);
    }
  }

  /** Forgets all that this process knows of Redis. */
  private void lose(RuntimeException e) {
    try {
      awaitWrite();
    } catch (RuntimeException other) {
      // It is lost as well, and its events are read again.
      metrics.trouble(Causes.reason(other));
    }
    store.ifPresent(LiveStore::close);
    store = Optional.empty();
    followed
        .values()
        .forEach(
            view -> {
              view.writer.clear();
              view.places.clear();
            });
    known.clear();
    unplaced.addAll(assigned);
    metrics.trouble(Causes.reason(e));
  }

  /** Waits for what passes, still a member of the group; fails for the rest. */
  private void wait(RuntimeException e) {
    if (!isPassing(e)) {
      throw e instanceof TarnException told
          ? told
          : Refusals.explain(servers.settings(), e)
              .orElseGet(() -> new TarnException(Causes.reason(e), e));
    }
    metrics.stopped(Optional.of(Causes.reason(e)));
    consumer.pause(consumer.assignment());
    stop.await(Duration.ofMillis(pause));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
    var unused = consumer.poll(Duration.ZERO);
  }

  private static boolean isPassing(RuntimeException e) {
    if (e instanceof EntityWriter.WentBackException || Causes.has(e, RetriableException.class)) {
      return true;
    }
    return Causes.find(e, JedisException.class)
        .filter(
            redis ->
                RedisServers.isPassing(redis)
                    || List.of("OOM", "MISCONF", "NOREPLICAS", "NOSCRIPT").stream()
                        .anyMatch(String.valueOf(redis.getMessage())::startsWith))
        .isPresent();
  }

  /** Takes up views that have a base by now, and lets go of those that have none any more. */
  private void follow() {
    for (LiveView view : views) {
      Optional<KeptBases> bases = view.bases();
      Followed present = followed.get(view.name());
      if (bases.isEmpty() && present != null) {
        followed.remove(view.name());
        console.say(
            "%s: no version is left that its live cells go with: ./tarn push view=%s",
            view.name(), view.name());
      } else if (bases.isPresent() && present == null) {
        ViewMetrics ofView = metrics.view(view.name());
        followed.put(
            view.name(),
            new Followed(
                view,
                readers.get(view.name()),
                new EntityWriter(view.name(), settings.cacheBytes() / views.size(), ofView),
                ofView,
                bases.get()));
        // All begin anew, from the earliest position of any.
        unplaced.addAll(assigned);
      } else if (present != null) {
        present.bases = bases.get();
      }
    }
  }

  /** Gives partitions their positions. */
  private void place() {
    LiveStore redis = store.orElseThrow();
    TopicState state = probes.look();
    Map<String, Map<Integer, Progress>> progress = new HashMap<>();
    Map<String, Map<Integer, String>> runs = new HashMap<>();
    for (Followed view : followed.values()) {
      requireSameTopic(view, state);
      progress.put(view.view.name(), redis.progress(view.bases.generation()));
      runs.put(view.view.name(), redis.runsOf(view.bases.generation()));
    }
    for (int partition : List.copyOf(unplaced)) {
      Extent extent = state.partitions().get(partition);
      if (extent == null) {
        continue;
      }
      long position = Long.MAX_VALUE;
      for (Followed view : followed.values()) {
        Optional<Progress> seen =
            Optional.ofNullable(progress.get(view.view.name()).get(partition));
        boolean isSafe =
            !redis.isCluster() || redis.runs().equals(runs.get(view.view.name()).get(partition));
        Optional<Place> place = begin(redis, view, partition, seen, isSafe);
        if (place.isEmpty()) {
          return; // Somebody else has moved it; once more.
        }
        requireThere(view, partition, place.get().next, extent);
        view.places.put(partition, place.get());
        position = Math.min(position, place.get().next);
      }
      TopicPartition named = new TopicPartition(topic, partition);
      if (ids.isPresent()) {
        known.put(partition, new RepeatedIds(horizon() * 1_000));
        position = withHorizon(named, position, extent);
      }
      consumer.seek(named, position);
      consumer.resume(List.of(named));
      unplaced.remove(partition);
    }
    placedId = state.id();
    followed.values().stream().filter(view -> !view.isTold).forEach(this::tell);
  }

  private Optional<Place> begin(
      LiveStore redis, Followed view, int partition, Optional<Progress> seen, boolean isSafe) {
    long oldest = view.bases.oldest().next(partition);
    Optional<Progress> rewound =
        isSafe || seen.isEmpty() ? Optional.empty() : Optional.of(new Progress(oldest, oldest, 0));
    if (!redis.begin(view.bases.generation(), partition, seen, rewound)) {
      return Optional.empty();
    }
    Optional<Progress> present = rewound.or(() -> seen);
    Place place = new Place();
    place.floor = present.map(Progress::next).orElse(-1L);
    // What is before all bases' cuts is in all of them.
    place.from = Math.max(oldest, present.map(Progress::from).orElse(0L));
    place.next = Math.max(oldest, present.map(Progress::next).orElse(0L));
    place.through = present.map(Progress::through).orElse(0L);
    place.isNew = place.next != place.floor;
    return Optional.of(place);
  }

  private void tell(Followed view) {
    view.isTold = true;
    Map<Integer, Long> from = new TreeMap<>();
    view.places.forEach((partition, place) -> from.put(partition, place.next));
    console.say(
        "%s: live from %s, generation %s",
        view.view.name(),
        from.entrySet().stream()
            .map(entry -> entry.getKey() + ": " + entry.getValue())
            .collect(Collectors.joining(", ")),
        view.view.generation());
  }

  private void requireSameTopic(Followed view, TopicState state) {
    for (String id : view.bases.topicIds()) {
      if (!state.id().isEmpty() && !state.id().equals(id)) {
        throw new TarnException(
            "topic '%s' of view '%s' is not the one that its base was made from: its id was %s and is %s now. It was deleted and made anew: archive it to another event table (table = … in source '%s'), and push the view"
                .formatted(topic, view.view.name(), id, state.id(), source.name()));
      }
    }
  }

  private void requireThere(Followed view, int partition, long next, Extent extent) {
    if (next < extent.begin()) {
      throw new TarnException(
          "topic '%s' has lost offsets that view '%s' needs: partition %d begins at offset %d, and %d is the next to apply. Kafka's retention or somebody has deleted them. If they are archived, push the view until no kept version (push.keep) begins before them; ./tarn archive source=%s skip-lost=true goes on without them"
              .formatted(topic, view.view.name(), partition, extent.begin(), next, source.name()));
    }
    if (next > extent.end()) {
      throw new TarnException(
          "topic '%s' of view '%s' is not the one that was followed: partition %d ends at offset %d, and everything before %d is applied. It was deleted and made anew, or its broker was restored: archive it to another event table (table = … in source '%s'), and push the view"
              .formatted(topic, view.view.name(), partition, extent.end(), next, source.name()));
    }
  }

  private long horizon() {
    return source.eventId().orElseThrow().horizon().toMillis();
  }

  /** The position from which on ids are read, so that all within the horizon are known. */
  private long withHorizon(TopicPartition partition, long position, Extent extent) {
    try (KafkaConsumer<byte[], byte[]> looking = new KafkaConsumer<>(consumerSettings(false))) {
      looking.assign(List.of(partition));
      long time = Instant.now().toEpochMilli() - CLOCKS;
      looking.seek(partition, position);
      while (looking.position(partition) < extent.end()) {
        List<ConsumerRecord<byte[], byte[]>> next = looking.poll(POLL).records(partition);
        if (!next.isEmpty()) {
          time = next.get(0).timestamp();
          break;
        }
      }
      OffsetAndTimestamp first =
          looking.offsetsForTimes(Map.of(partition, time - horizon())).get(partition);
      long from = first == null ? position : Math.min(position, first.offset());
      if (from == extent.begin() && from > 0) {
        metrics.trouble(
            "partition %d of topic '%s' may have lost events within event-id-horizon"
                .formatted(partition.partition(), topic));
      }
      return from;
    }
  }

  private void apply(ConsumerRecords<byte[], byte[]> records) {
    long received = System.nanoTime();
    long now = Values.micros(Instant.now());
    EventReader.under(
        sql,
        () -> {
          for (TopicPartition partition : records.partitions()) {
            read(partition.partition(), records.records(partition), now);
          }
          return true;
        });
    long bound = now - TimeUnit.NANOSECONDS.toMicros(settings.clockSkew().toNanos());
    LiveStore redis = store.orElseThrow();
    List<Runnable> writes = new ArrayList<>();
    for (Followed view : followed.values()) {
      EntityWriter.Batch batch = view.writer.take();
      KeptBases bases = view.bases;
      writes.add(() -> view.writer.write(batch, redis, bases, bound, () -> isComplete(view)));
      view.metrics.withoutKey(view.reader.withoutKey());
    }
    Runnable write =
        () -> {
          writes.forEach(Runnable::run);
          metrics.wrote(System.nanoTime() - received);
        };
    Runnable moves =
        () -> {
          for (TopicPartition partition : records.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> all = records.records(partition);
            ConsumerRecord<byte[], byte[]> last = all.get(all.size() - 1);
            moveTo(partition.partition(), last.offset() + 1, arrivedBefore(last));
          }
        };
    if (underWay.isPresent()) {
      awaitWrite();
      advance(false);
    }
    if (records.count() < LARGE) {
      write.run();
      moves.run();
    } else {
      underWay = Optional.of(new Write(writing.submit(write), moves));
    }
  }

  /** Waits until the events that are being written are in Redis; fails as that failed. */
  private void awaitWrite() {
    if (underWay.isEmpty()) {
      return;
    }
    Write write = underWay.get();
    underWay = Optional.empty();
    try {
      write.done().get();
    } catch (ExecutionException e) {
      Throwables.throwIfUnchecked(e.getCause());
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
    write.moves().run();
  }

  private void read(int partition, List<ConsumerRecord<byte[], byte[]>> records, long now) {
    long lateBefore = now - TimeUnit.NANOSECONDS.toMicros(settings.lateAfter().toNanos());
    List<Followed> all = new ArrayList<>(followed.values());
    long[] counts = new long[all.size()];
    long[] late = new long[all.size()];
    for (ConsumerRecord<byte[], byte[]> record : records) {
      OptionalLong arrivedAt =
          record.timestampType() == TimestampType.NO_TIMESTAMP_TYPE
              ? OptionalLong.empty()
              : OptionalLong.of(record.timestamp() * 1_000);
      InternalRow event;
      try {
        event = messages.read(record.value(), partition, record.offset(), arrivedAt);
      } catch (InputException e) {
        metrics.rejected();
        continue;
      }
      if (ids.isPresent() && repeats(partition, event, arrivedAt)) {
        metrics.repeated();
        continue;
      }
      for (int i = 0; i < counts.length; i++) {
        Followed view = all.get(i);
        Place place = view.places.get(partition);
        if (place == null || record.offset() < place.next) {
          continue;
        }
        Optional<EntityEvent> read = read(view, event, record);
        if (read.isPresent() && read.get().id().length <= settings.maxIdBytes()) {
          view.writer.add(read.get(), partition, record.offset());
          counts[i]++;
          late[i] += read.get().micros() < lateBefore ? 1 : 0;
        }
      }
    }
    for (int i = 0; i < counts.length; i++) {
      all.get(i).metrics.applied(counts[i], late[i]);
    }
  }

  private Optional<EntityEvent> read(
      Followed view, InternalRow event, ConsumerRecord<byte[], byte[]> record) {
    try {
      return view.reader.read(event);
    } catch (RuntimeException e) {
      throw new TarnException(
          "view '%s': an expression of its definition fails on the event at offset %d of partition %d of topic '%s', as it would in a build: %s"
              .formatted(
                  view.view.name(), record.offset(), record.partition(), topic, Causes.reason(e)),
          e);
    }
  }

  private boolean repeats(int partition, InternalRow event, OptionalLong arrivedAt) {
    Optional<HashCode> id = ids.orElseThrow().read(event);
    return id.isPresent() && known.get(partition).repeats(id.get(), arrivedAt);
  }

  /** The moment before which all messages had arrived that come before this one; 0: not known. */
  private static long arrivedBefore(ConsumerRecord<byte[], byte[]> record) {
    // Others of the same millisecond may follow. A producer's time says nothing of those.
    return record.timestampType() == TimestampType.LOG_APPEND_TIME
        ? (record.timestamp() - 1) * 1_000
        : 0;
  }

  private void moveTo(int partition, long next, long through) {
    for (Followed view : followed.values()) {
      Place place = view.places.get(partition);
      if (place != null && next >= place.next) {
        place.isNew |= next > place.next || through > place.through;
        place.next = next;
        place.through = Math.max(place.through, through);
      }
    }
  }

  /** Whether Redis still has what it confirmed of a view's progress. */
  private boolean isComplete(Followed view) {
    LiveStore redis = store.orElseThrow();
    Map<Integer, Progress> progress = redis.progress(view.bases.generation());
    Map<Integer, String> runs = redis.runsOf(view.bases.generation());
    return view.places.entrySet().stream()
        .allMatch(
            entry -> {
              Progress there = progress.get(entry.getKey());
              long next = there == null ? -1 : there.next();
              return next >= entry.getValue().floor
                  && redis.runs().equals(runs.get(entry.getKey()));
            });
  }

  /** Passes over what is no message, such as the marks of transactions; all events are written. */
  private void passOver() {
    for (int partition : assigned) {
      if (!unplaced.contains(partition)) {
        moveTo(partition, consumer.position(new TopicPartition(topic, partition)), 0);
      }
    }
  }

  /** Tells Redis how far the views are, not too often. */
  private void advance(boolean isNow) {
    if (store.isEmpty() || (!isNow && System.nanoTime() - lastProgress < PROGRESS_EVERY)) {
      return;
    }
    lastProgress = System.nanoTime();
    long least = Long.MAX_VALUE;
    for (Followed view : followed.values()) {
      Map<Integer, Step> steps = new TreeMap<>();
      for (Map.Entry<Integer, Place> entry : view.places.entrySet()) {
        int partition = entry.getKey();
        Place place = entry.getValue();
        long through = Math.max(place.through, probes.through(partition, place.next));
        long from = Math.max(place.from, view.bases.oldest().next(partition));
        if (place.isNew || through > place.through || from > place.from) {
          place.through = through;
          place.from = from;
          steps.put(partition, new Step(place.floor, new Progress(from, place.next, through)));
        }
        least = Math.min(least, through);
        metrics.place(
            partition,
            new SourceMetrics.Place(
                Math.max(0, probes.end(partition) - place.next), place.through));
      }
      if (steps.isEmpty()) {
        continue;
      }
      if (!store.get().advance(view.bases.generation(), steps).isEmpty()) {
        throw new EntityWriter.WentBackException(
            "Redis has less progress of view '%s' than it had confirmed"
                .formatted(view.view.name()));
      }
      for (int partition : steps.keySet()) {
        Place place = view.places.get(partition);
        place.floor = place.next;
        place.isNew = false;
      }
    }
    if (least < Long.MAX_VALUE) {
      probes.reached(least);
    }
  }

  private void finish() {
    try {
      awaitWrite();
      passOver();
      advance(true);
    } catch (JedisException | TarnException | EntityWriter.WentBackException e) {
      // Who comes next begins a little earlier.
      metrics.trouble(Causes.reason(e));
    }
  }
}

package dev.tarn.aggregate;

import dev.tarn.manifest.FeatureType;
import dev.tarn.row.FeatureTypes;
import java.io.Serializable;
import java.util.Objects;
import java.util.Optional;

/**
 * An aggregate over events: a commutative monoid, of which {@link #newState} is the empty element
 * and {@link State#merge} the operation. Its rules for each type of values:
 *
 * <ul>
 *   <li>count: how many events there are.
 *   <li>sum: exact, of float and double rounded once, to the nearest double and to the even one of
 *       two. Beyond the greatest double it is infinite; NaN or both infinities make NaN; a sum of
 *       zero is 0.0, never -0.0. A sum of int, bigint or decimal that does not fit into its type is
 *       an {@link OverflowException}; how it got there does not matter.
 *   <li>avg: the exact sum divided by the count and rounded once: to the nearest double, or half up
 *       to the digits of its decimal type.
 *   <li>variance, stddev: of a sample (divided by the count less one), from exact sums, rounded
 *       once to the nearest double. NaN and infinities make NaN. Two values are the fewest.
 *   <li>min, max: by one total order: false before true, -0.0 before 0.0, NaN above all numbers,
 *       string and binary by their bytes without sign.
 *   <li>first, last, last n: by (time, partition, offset, value). Values are ordered as by min and
 *       max, arrays and structs by their encoded bytes; so even equal places are free of order.
 *   <li>count distinct: exact up to {@link DistinctState#EXACT} different values, beyond it an
 *       estimate by 4,096 HyperLogLog registers with a standard error of 1.6 %. 0.0 and -0.0 are
 *       one value. Strings, binaries, arrays, structs and decimals of more than 18 digits are told
 *       apart by a hash of 128 bits, all others by themselves.
 *   <li>seconds since last: whole seconds from the newest event to the question, rounded down.
 * </ul>
 *
 * <p>All NaN are one value, and come out as the same NaN. Immutable.
 */
public final class Aggregate implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Greatest n of last n. */
  public static final int MAX_LAST = 1000;

  /** Number of the format of states' bytes: the upper half of the first byte. */
  private static final int FORMAT = 1;

  private static final FeatureType BIGINT = plain(FeatureType.Kind.KIND_BIGINT);
  private static final FeatureType DOUBLE = plain(FeatureType.Kind.KIND_DOUBLE);
  private static final int MAX_PRECISION = 38;

  /** What is computed over the events. */
  public enum Kind {
    COUNT("count", 0),
    SUM("sum", 1),
    AVG("avg", 2),
    MIN("min", 3),
    MAX("max", 4),
    VARIANCE("variance", 5),
    STDDEV("stddev", 6),
    FIRST("first", 7),
    LAST("last", 8),
    LAST_N("last n", 9),
    COUNT_DISTINCT("count-distinct", 10),
    SECONDS_SINCE_LAST("seconds-since-last", 11);

    private final String word;

    /** Number in the first byte of states, which are stored: it never changes. */
    private final int code;

    Kind(String word, int code) {
      this.word = word;
      this.code = code;
    }

    /** The aggregate as users write it; last n is written {@code { last = n }}. */
    public String word() {
      return word;
    }

    /** Whether it needs a value of each event; if not, it is about the events themselves. */
    public boolean needsValue() {
      return this != COUNT && this != SECONDS_SINCE_LAST;
    }
  }

  private final Kind kind;

  /** Null without values. */
  private final FeatureType valueType;

  private final int n;
  private final FeatureType resultType;
  private final transient ValueCodec codec;

  private Aggregate(Kind kind, FeatureType valueType, int n, FeatureType resultType) {
    this.kind = kind;
    this.valueType = valueType;
    this.n = n;
    this.resultType = resultType;
    codec = valueType == null ? null : ValueCodec.of(valueType);
  }

  /**
   * The aggregate of a kind.
   *
   * @param valueType type of the values; may be empty where the kind needs none
   * @param n how many values last n gives, 1 to {@link #MAX_LAST}; not looked at by others
   * @throws IllegalArgumentException if the kind is not given for that type, or n is out of bounds
   */
  public static Aggregate of(Kind kind, Optional<FeatureType> valueType, int n) {
    FeatureType result =
        resultType(kind, valueType)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "%s is not given for %s"
                            .formatted(
                                kind.word(),
                                valueType.map(FeatureTypes::name).orElse("events without value"))));
    if (kind != Kind.LAST_N) {
      return new Aggregate(kind, kind.needsValue() ? valueType.orElseThrow() : null, 0, result);
    }
    if (n < 1 || n > MAX_LAST) {
      throw new IllegalArgumentException(
          "the n of last n is 1 to %,d, not %,d".formatted(MAX_LAST, n));
    }
    return new Aggregate(kind, valueType.orElseThrow(), n, result);
  }

  /**
   * Type of the result.
   *
   * @param valueType type of the values; empty if there are none
   * @return empty if the aggregate is not given for such values
   */
  public static Optional<FeatureType> resultType(Kind kind, Optional<FeatureType> valueType) {
    if (!kind.needsValue()) {
      return Optional.of(BIGINT);
    }
    return valueType.flatMap(type -> resultOf(kind, type));
  }

  private static Optional<FeatureType> resultOf(Kind kind, FeatureType type) {
    return switch (kind) {
      case COUNT, COUNT_DISTINCT, SECONDS_SINCE_LAST -> Optional.of(BIGINT);
      case SUM ->
          switch (type.getKind()) {
            case KIND_INT, KIND_BIGINT -> Optional.of(BIGINT);
            case KIND_FLOAT, KIND_DOUBLE -> Optional.of(DOUBLE);
            case KIND_DECIMAL -> Optional.of(decimal(type.getPrecision() + 10, type.getScale()));
            default -> Optional.empty();
          };
      case AVG ->
          switch (type.getKind()) {
            case KIND_INT, KIND_BIGINT, KIND_FLOAT, KIND_DOUBLE -> Optional.of(DOUBLE);
            case KIND_DECIMAL -> Optional.of(decimal(type.getPrecision() + 4, type.getScale() + 4));
            default -> Optional.empty();
          };
      case VARIANCE, STDDEV ->
          switch (type.getKind()) {
            case KIND_INT, KIND_BIGINT, KIND_FLOAT, KIND_DOUBLE, KIND_DECIMAL ->
                Optional.of(DOUBLE);
            default -> Optional.empty();
          };
      case MIN, MAX ->
          switch (type.getKind()) {
            case KIND_ARRAY, KIND_STRUCT -> Optional.empty();
            default -> Optional.of(type);
          };
      case FIRST, LAST -> Optional.of(type);
      case LAST_N ->
          Optional.of(
              FeatureType.newBuilder()
                  .setKind(FeatureType.Kind.KIND_ARRAY)
                  .setElement(type)
                  .build());
    };
  }

  public FeatureType resultType() {
    return resultType;
  }

  /** The state of no event. */
  public State newState() {
    return switch (kind) {
      case COUNT -> new CountState(this);
      case SUM, AVG -> isFloating() ? new DoubleSumState(this) : new IntegerSumState(this);
      case VARIANCE, STDDEV ->
          isFloating() ? new DoubleMomentsState(this) : new IntegerMomentsState(this);
      case MIN, MAX -> new ExtremeState(this);
      case FIRST, LAST -> new EndState(this);
      case LAST_N -> new LastState(this);
      case COUNT_DISTINCT -> new DistinctState(this);
      case SECONDS_SINCE_LAST -> new NewestState(this);
    };
  }

  /**
   * Reads a state.
   *
   * @param bytes what {@link State#toBytes} gave, of this aggregate
   * @throws CorruptStateException if they are something else
   */
  public State read(byte[] bytes) {
    return read(new StateReader(bytes));
  }

  /** Reads the state that a reader's bytes are; see {@link #read(byte[])}. */
  public State read(StateReader in) {
    int header = in.readByte();
    if (header >> 4 != FORMAT) {
      throw new CorruptStateException(
          "the state has format %d; known is %d".formatted(header >> 4, FORMAT));
    }
    if (header != header()) {
      throw new CorruptStateException("the state is not of %s".formatted(kind.word()));
    }
    State state = newState();
    state.read(in);
    in.end();
    return state;
  }

  int header() {
    return FORMAT << 4 | kind.code;
  }

  Kind kind() {
    return kind;
  }

  int n() {
    return n;
  }

  FeatureType valueType() {
    return valueType;
  }

  ValueCodec codec() {
    return codec;
  }

  private boolean isFloating() {
    return valueType.getKind() == FeatureType.Kind.KIND_FLOAT
        || valueType.getKind() == FeatureType.Kind.KIND_DOUBLE;
  }

  private static FeatureType plain(FeatureType.Kind kind) {
    return FeatureType.newBuilder().setKind(kind).build();
  }

  private static FeatureType decimal(int precision, int scale) {
    return FeatureType.newBuilder()
        .setKind(FeatureType.Kind.KIND_DECIMAL)
        .setPrecision(Math.min(precision, MAX_PRECISION))
        .setScale(Math.min(scale, MAX_PRECISION))
        .build();
  }

  @Override
  public boolean equals(Object other) {
    if (other == this) {
      return true; // Nearly always: a job reads all states by one aggregate.
    }
    return other instanceof Aggregate aggregate
        && kind == aggregate.kind
        && n == aggregate.n
        && Objects.equals(valueType, aggregate.valueType);
  }

  @Override
  public int hashCode() {
    return Objects.hash(kind, valueType, n);
  }

  /** Such as {@code last 5 of array<string>}. */
  @Override
  public String toString() {
    String word = kind == Kind.LAST_N ? "last " + n : kind.word();
    return valueType == null ? word : word + " of " + FeatureTypes.name(valueType);
  }

  private Object readResolve() {
    return new Aggregate(kind, valueType, n, resultType);
  }
}

package dev.tarn.etl.compute;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Moments;
import java.time.Duration;
import java.time.Instant;
import java.time.Period;
import java.time.ZoneOffset;
import java.time.temporal.TemporalAmount;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the as-ofs that a build is asked for: one, or a range. */
public final class AsOfs {

  private static final int MOST = 10_000;
  private static final Pattern STEP = Pattern.compile("(\\d{1,6})(mo|m|h|d|w|y)");

  private AsOfs() {}

  /**
   * The as-ofs in order of time. Those of a range are {@code from} plus one step, two steps and so
   * on, in UTC. A step of months or years keeps the day of {@code from}; where a month lacks it,
   * the last one stands in, so that steps of a month from 31 January give 28 February and then 31
   * March.
   *
   * @param now as-ofs may not be later than this
   * @throws UsageException if they can't be read, or one is in the future
   */
  public static List<Instant> of(CommandLine line, Instant now) {
    List<Instant> asOfs = new ArrayList<>();
    if (line.has("as-of") == (line.has("from") || line.has("to"))) {
      throw new UsageException("give as-of=…, or from=… and to=…");
    }
    if (line.has("as-of")) {
      asOfs.add(Moments.parse("as-of", line.text("as-of")));
    } else {
      Instant from = Moments.parse("from", line.text("from"));
      Instant to = Moments.parse("to", line.text("to"));
      if (to.isBefore(from)) {
        throw new UsageException("from=%s is after to=%s".formatted(from, to));
      }
      TemporalAmount every = step(line.optional("every").orElse("1d"));
      for (Instant asOf = from; !asOf.isAfter(to); asOf = plus(from, every, asOfs.size())) {
        if (asOfs.size() == MOST) {
          throw new UsageException(
              "that is more than %d as-ofs: take a larger every=…, or several runs"
                  .formatted(MOST));
        }
        asOfs.add(asOf);
      }
    }
    Instant last = asOfs.get(asOfs.size() - 1);
    if (last.isAfter(now)) {
      throw new UsageException(
          "as-of %s is in the future (it is %s): what has not happened can't be computed"
              .formatted(last, now));
    }
    return asOfs;
  }

  private static Instant plus(Instant from, TemporalAmount every, int times) {
    return every instanceof Period period
        ? from.atOffset(ZoneOffset.UTC).plus(period.multipliedBy(times)).toInstant()
        : from.plus(((Duration) every).multipliedBy(times));
  }

  private static TemporalAmount step(String text) {
    Matcher matcher = STEP.matcher(text);
    if (matcher.matches() && !matcher.group(1).matches("0+")) {
      int count = Integer.parseInt(matcher.group(1));
      return switch (matcher.group(2)) {
        case "m" -> Duration.ofMinutes(count);
        case "h" -> Duration.ofHours(count);
        case "d" -> Duration.ofDays(count);
        case "w" -> Duration.ofDays(7L * count);
        case "mo" -> Period.ofMonths(count);
        default -> Period.ofYears(count);
      };
    }
    throw new UsageException(
        "every=%s is not a step: write 30m (minutes), 6h, 1d, 1w, 1mo (a month) or 1y"
            .formatted(text));
  }
}

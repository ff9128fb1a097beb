package dev.tarn.etl.catalog;

import com.google.common.hash.Hashing;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The process that owns an audit branch, as the end of the branch's name says: a hash of the host's
 * name, the process id, the second in which the process started, and a random number.
 */
final class BuildOwner {

  private static final Pattern SUFFIX =
      Pattern.compile(".*_([0-9a-f]{8})_([0-9]{1,18})_([0-9]{1,18})_[0-9a-f]{8}");

  private static final String HOST = host();

  private BuildOwner() {}

  /** Makes an end for the name of a branch, which no other branch has. */
  static String newSuffix() {
    ProcessHandle self = ProcessHandle.current();
    return String.format(
        Locale.ROOT,
        "_%s_%d_%d_%08x",
        HOST,
        self.pid(),
        startSecond(self),
        ThreadLocalRandom.current().nextInt());
  }

  /**
   * Whether the owner of a branch is known to have ended. The processes of other hosts are not
   * known.
   */
  static boolean isDead(String branch) {
    Matcher owner = SUFFIX.matcher(branch);
    if (!owner.matches() || !owner.group(1).equals(HOST)) {
      return false;
    }
    long startSecond = Long.parseLong(owner.group(3));
    Optional<ProcessHandle> process = ProcessHandle.of(Long.parseLong(owner.group(2)));
    return process.filter(p -> p.isAlive() && startSecond(p) == startSecond).isEmpty();
  }

  private static long startSecond(ProcessHandle process) {
    return process.info().startInstant().map(Instant::getEpochSecond).orElse(0L);
  }

  private static String host() {
    String name;
    try {
      name = InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      name = Optional.ofNullable(System.getenv("HOSTNAME")).orElse("");
    }
    return Hashing.murmur3_32_fixed().hashString(name, StandardCharsets.UTF_8).toString();
  }
}

package dev.tarn.serving.ops;

import com.google.gson.JsonObject;
import io.grpc.Status;
import java.time.InstantSource;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs a line of JSON for a sample of the calls, with a logger of its own. The line has no entity
 * ids, which may be personal, and no tokens.
 */
public final class AccessLog {

  static final String LOGGER = "access";

  private static final Logger log = LoggerFactory.getLogger(LOGGER);

  private final double sample;
  private final InstantSource clock;

  /**
   * Creates the log of a share of the calls.
   *
   * @param sample the share, from 0 to 1
   */
  public AccessLog(double sample, InstantSource clock) {
    this.sample = sample;
    this.clock = clock;
  }

  void ended(String method, Status.Code status, int entities, String caller, long nanos) {
    if (sample == 0 || ThreadLocalRandom.current().nextDouble() >= sample) {
      return;
    }
    JsonObject line = new JsonObject();
    line.addProperty("time", clock.instant().toString());
    line.addProperty("method", method);
    line.addProperty("status", status.name());
    line.addProperty("entities", entities);
    if (!caller.isEmpty()) {
      line.addProperty("caller", caller);
    }
    line.addProperty("micros", nanos / 1_000);
    log.info("{}", line);
  }
}

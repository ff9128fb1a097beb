package dev.tarn.serving.access;

import dev.tarn.cli.TarnException;
import dev.tarn.serving.ServingSettings;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The {@link Callers} that the file of {@code serving.callers} has now. */
public final class CallerFile {

  private static final Logger log = LoggerFactory.getLogger(CallerFile.class);

  private final ServingSettings settings;
  private final WatchedFiles files = new WatchedFiles(this::read);
  private volatile Callers callers;

  private CallerFile(ServingSettings settings) {
    this.settings = settings;
    files.add("serving.callers", settings.callers()).start();
  }

  /**
   * Reads the file; empty if there is none, and then everybody may read everything.
   *
   * @throws TarnException if it can't be used
   */
  public static Optional<CallerFile> of(ServingSettings settings) {
    return settings.callers().isEmpty() ? Optional.empty() : Optional.of(new CallerFile(settings));
  }

  public Callers callers() {
    return callers;
  }

  public WatchedFiles files() {
    return files;
  }

  private void read(List<byte[]> contents) {
    Callers read;
    try {
      read = Callers.parse(new String(contents.get(0), StandardCharsets.UTF_8));
    } catch (IllegalArgumentException e) {
      throw cannotUse(e.getMessage());
    }
    if (read.hasCertificates() && settings.tls().clientCa().isEmpty()) {
      throw cannotUse(
          "it has callers with a certificate, and no client shows one: set serving.tls.client-ca");
    }
    if (read.hasTokens() && !settings.tls().isOn()) {
      log.warn(
          "serving.callers has tokens and the server has no TLS: whoever can see the network can"
              + " read them; set serving.tls.certificate, unless a proxy has it");
    }
    callers = read;
  }

  private TarnException cannotUse(String why) {
    return new TarnException("serving.callers = '%s': %s".formatted(settings.callers(), why));
  }
}

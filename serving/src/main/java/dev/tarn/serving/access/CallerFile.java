package dev.tarn.serving.access;

import dev.tarn.cli.TarnException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads the file of {@code serving.callers} and keeps its latest {@link Callers}. */
final class CallerFile {

  private static final Logger log = LoggerFactory.getLogger(CallerFile.class);

  private final String file;
  private final TlsSettings tls;
  private final WatchedFiles files = new WatchedFiles(this::read);
  private volatile Callers callers;

  private CallerFile(String file, TlsSettings tls) {
    this.file = file;
    this.tls = tls;
    files.add("serving.callers", file).start();
  }

  /**
   * Reads the file. The result is empty if {@code file} is; then everybody may read everything.
   *
   * @throws TarnException if it can't be used
   */
  static Optional<CallerFile> of(String file, TlsSettings tls) {
    return file.isEmpty() ? Optional.empty() : Optional.of(new CallerFile(file, tls));
  }

  Callers callers() {
    return callers;
  }

  WatchedFiles files() {
    return files;
  }

  private void read(List<byte[]> contents) {
    Callers read;
    try {
      read = Callers.parse(new String(contents.get(0), StandardCharsets.UTF_8));
    } catch (IllegalArgumentException e) {
      throw cannotUse(e.getMessage());
    }
    if (read.hasCertificates() && tls.clientCa().isEmpty()) {
      throw cannotUse(
          "it has callers with a certificate, and no client shows one: set serving.tls.client-ca");
    }
    if (read.hasTokens() && !tls.isOn()) {
      log.warn(
          "serving.callers has tokens and the server has no TLS: whoever can see the network can"
              + " read them; set serving.tls.certificate, unless a proxy has it");
    }
    callers = read;
  }

  private TarnException cannotUse(String why) {
    return new TarnException("serving.callers = '%s': %s".formatted(file, why));
  }
}

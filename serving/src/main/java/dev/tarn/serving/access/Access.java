package dev.tarn.serving.access;

import dev.tarn.cli.TarnException;
import io.grpc.InsecureServerCredentials;
import io.grpc.ServerBuilder;
import io.grpc.ServerCredentials;
import java.time.Duration;
import java.util.Optional;
import java.util.stream.Stream;

/** Guards the server: its TLS and its callers, from files that are read again when they change. */
public final class Access implements AutoCloseable {

  private final Optional<ServerTls> tls;
  private final Optional<CallerFile> callers;
  private final FileWatch watch;

  private Access(Optional<ServerTls> tls, Optional<CallerFile> callers, Duration reload) {
    this.tls = tls;
    this.callers = callers;
    watch =
        new FileWatch(
            Stream.concat(
                    tls.map(ServerTls::files).stream(), callers.map(CallerFile::files).stream())
                .toList(),
            reload);
  }

  /**
   * Reads the files.
   *
   * @param callers the file of {@code serving.callers}; empty for a server that everybody may read
   * @param reload the time between two looks at the files
   * @throws TarnException if a file can't be used
   */
  public static Access of(TlsSettings tls, String callers, Duration reload) {
    return new Access(ServerTls.of(tls), CallerFile.of(callers, tls), reload);
  }

  /** Returns whether each call has a {@link Caller}. */
  public boolean hasCallers() {
    return callers.isPresent();
  }

  /** Returns what the server shows to clients when they connect. */
  public ServerCredentials credentials() {
    return tls.map(ServerTls::credentials).orElseGet(InsecureServerCredentials::create);
  }

  /** Lets a server find the caller of each call and refuse calls of nobody. */
  public void guard(ServerBuilder<?> server) {
    server.addTransportFilter(new CertificateNames());
    callers.ifPresent(file -> server.intercept(new Authentication(file::callers)));
  }

  /** Stops looking at the files. */
  @Override
  public void close() {
    watch.close();
  }
}

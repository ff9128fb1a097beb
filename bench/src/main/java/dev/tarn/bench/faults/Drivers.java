package dev.tarn.bench.faults;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Keeps push drivers that warm up while others are used. */
final class Drivers implements AutoCloseable {

  private static final int WAITING = 2;

  private final Path folder;
  private final List<String> jvm;
  private final List<String> settings;
  private final Deque<Driver> waiting = new ArrayDeque<>();
  private final Set<Driver> taken = new HashSet<>();
  private boolean isClosed;

  Drivers(Path folder, List<String> jvm, List<String> settings) {
    this.folder = folder;
    this.jvm = jvm;
    this.settings = settings;
    for (int i = 0; i < WAITING; i++) {
      waiting.add(start());
    }
  }

  /** Takes the driver that has warmed up longest, and starts another. */
  synchronized Driver take() {
    taken.removeIf(driver -> !driver.isAlive());
    Driver driver = waiting.remove();
    taken.add(driver);
    waiting.add(start());
    return driver;
  }

  @Override
  public synchronized void close() {
    isClosed = true;
    waiting.forEach(Driver::close);
    taken.forEach(Driver::close);
  }

  private Driver start() {
    if (isClosed) {
      throw new IllegalStateException("closed");
    }
    return Driver.start(folder, jvm, settings);
  }
}

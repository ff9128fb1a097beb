package dev.tarn.bench.testbed;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Builds command lines of Java processes that run on the Java of this one. */
public final class Jvm {

  private Jvm() {}

  /**
   * Puts a command line together.
   *
   * @param options of the JVM
   * @param words what it runs, and the arguments of that
   */
  public static List<String> command(List<String> options, List<String> words) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(options);
    command.addAll(words);
    return List.copyOf(command);
  }
}

package dev.tarn.etl;

import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import javax.management.JMException;
import javax.management.ObjectName;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the classes that a command has loaded, checked and laid out, for the next ones: of a small
 * job, loading Spark's is more than half.
 */
final class ClassArchive {

  private static final Logger LOG = LoggerFactory.getLogger(ClassArchive.class);

  /** The file to write; the launcher sets it where there is none yet. */
  private static final String FILE = "tarn.class-archive";

  /** A command that loads fewer has run no job on Spark, so its archive would help few. */
  private static final int ENOUGH = 15_000;

  private ClassArchive() {}

  /**
   * Writes the archive if one is wanted. A failure costs the next command time, and nothing else.
   */
  static void write(Console console) {
    String file = System.getProperty(FILE, "");
    if (file.isEmpty()
        || ManagementFactory.getClassLoadingMXBean().getLoadedClassCount() < ENOUGH) {
      return;
    }
    console.progress("noting what Java has loaded, for faster starts from here on");
    Path path = Path.of(file);
    // Another command may be doing the same: the file appears at once.
    Path staged = path.resolveSibling(path.getFileName() + "." + ProcessHandle.current().pid());
    try {
      Object said =
          ManagementFactory.getPlatformMBeanServer()
              .invoke(
                  new ObjectName("com.sun.management:type=DiagnosticCommand"),
                  "vmCds",
                  new Object[] {new String[] {"dynamic_dump", staged.toString()}},
                  new String[] {String[].class.getName()});
      LOG.info("class archive: {}", said);
      Files.move(staged, path, StandardCopyOption.REPLACE_EXISTING);
      removeOlder(path);
    } catch (JMException | IOException e) {
      LOG.warn("the class archive {} could not be written", file, e);
    }
    console.progress("");
  }

  /** Those of jars that have been replaced. */
  private static void removeOlder(Path path) throws IOException {
    String name = path.getFileName().toString();
    String kind = name.substring(0, name.indexOf('-') + 1);
    File[] others =
        path.toFile()
            .getParentFile()
            .listFiles((folder, other) -> other.startsWith(kind) && !other.equals(name));
    for (File other : others == null ? List.<File>of() : List.of(others)) {
      Files.deleteIfExists(other.toPath());
    }
  }
}

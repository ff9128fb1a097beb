package dev.tarn.etl.input;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import dev.tarn.cli.Plural;
import dev.tarn.etl.input.InputFile.PartitionFolder;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.GlobExpander;
import org.apache.hadoop.fs.GlobPattern;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils;
import org.apache.spark.sql.types.DataTypes;

/**
 * The files of a path. What exists by the very name is taken, whatever characters it has; only then
 * is a path a pattern, where patterns are allowed. What would be passed over is refused.
 *
 * @param roots the files and folders that the path names
 * @param files all files in and below them, in the order of their paths
 */
public record InputFiles(List<String> roots, List<InputFile> files) {

  static final String GLOB_FILTER = "pathGlobFilter";
  static final String RECURSIVE = "recursiveFileLookup";
  static final String BASE_PATH = "basePath";
  static final String MODIFIED_BEFORE = "modifiedBefore";
  static final String MODIFIED_AFTER = "modifiedAfter";

  /** The beginning of the names of Hadoop's settings for file systems. */
  static final String FILE_SYSTEM = "fs.";

  /**
   * Finds the files of a path.
   *
   * @param extension that of the format, e.g. {@code csv}
   * @param isPattern whether a path that does not exist may be a pattern
   * @throws InputException if there is none, or some would be passed over
   */
  public static InputFiles find(
      Configuration configuration,
      String location,
      String extension,
      boolean isPattern,
      Map<String, String> options) {
    try {
      return new Finder(configuration, extension, new Options(options)).find(location, isPattern);
    } catch (FileNotFoundException e) {
      throw new InputException("there is no such file or folder", e);
    } catch (IOException | IllegalArgumentException e) {
      throw new InputException(e.getMessage(), e);
    }
  }

  /** The configuration of file systems, with what options say of them. */
  public static Configuration configuration(SparkSession spark, Map<String, String> options) {
    Configuration configuration = spark.sessionState().newHadoopConf();
    options.forEach(
        (name, value) -> {
          if (name.startsWith(FILE_SYSTEM)) {
            configuration.set(name, value);
          }
        });
    return configuration;
  }

  /**
   * Describes the files: their number, their bytes and a SHA-256 of their names, sizes and times.
   */
  public String fingerprint() {
    long bytes = 0;
    Hasher hash = Hashing.sha256().newHasher();
    for (InputFile file : files) {
      bytes += file.length();
      hash.putString(file.path(), StandardCharsets.UTF_8)
          .putLong(file.length())
          .putLong(file.modified());
    }
    return "files %d bytes %d sha256 %s".formatted(files.size(), bytes, hash.hash());
  }

  /** A path as Hadoop has it. Hadoop takes what stands before a colon for a scheme. */
  public static Path path(String location) {
    boolean isUri = location.matches("(?s)[A-Za-z][A-Za-z0-9+.-]*:/.*");
    return new Path(isUri || location.startsWith("/") ? location : "./" + location);
  }

  /**
   * The file system of a path. A local one is without checksum files, whose names can't have
   * colons.
   */
  public static FileSystem fileSystem(Path path, Configuration configuration) throws IOException {
    FileSystem files = path.getFileSystem(configuration);
    return files instanceof LocalFileSystem local ? local.getRawFileSystem() : files;
  }

  /** The paths of all files. */
  public List<String> paths() {
    return files.stream().map(InputFile::path).toList();
  }

  /** The columns that the folders {@code name=value} make, in their order. */
  public List<String> partitionColumns() {
    return files.isEmpty()
        ? List.of()
        : files.get(0).partitions().stream().map(PartitionFolder::name).toList();
  }

  private static final class Finder {

    private final Configuration configuration;
    private final String extension;
    private final Optional<GlobPattern> filter;
    private final boolean isRecursive;
    private final Optional<Path> base;
    private final long before;
    private final long after;
    private final List<InputFile> found = new ArrayList<>();
    private final List<String> leftOut = new ArrayList<>();

    Finder(Configuration configuration, String extension, Options options) {
      this.configuration = configuration;
      this.extension = extension;
      filter = options.text(GLOB_FILTER).map(GlobPattern::new);
      isRecursive = options.flag(RECURSIVE, false);
      base = options.text(BASE_PATH).map(InputFiles::path);
      before = millis(options, MODIFIED_BEFORE).orElse(Long.MAX_VALUE);
      after = millis(options, MODIFIED_AFTER).orElse(Long.MIN_VALUE);
    }

    InputFiles find(String location, boolean isPattern) throws IOException {
      FileSystem files = fileSystem(path(location), configuration);
      Path path = files.makeQualified(path(location));
      List<FileStatus> roots = new ArrayList<>();
      status(files, path).ifPresent(roots::add);
      if (roots.isEmpty() && isPattern) {
        for (String pattern : GlobExpander.expand(path.toString())) {
          matches(files, new Path(pattern)).forEach(roots::add);
        }
      }
      if (roots.isEmpty()) {
        throw new FileNotFoundException(location);
      }
      for (FileStatus root : roots) {
        List<PartitionFolder> above = above(files, root);
        if (root.isDirectory()) {
          list(files, root, above, false);
        } else if (accepts(root)) {
          found.add(file(root, above));
        }
      }
      if (!leftOut.isEmpty()) {
        throw new InputException(
            "%s in its subfolders would not be read, e.g. %s; options { recursiveFileLookup = true } reads them, or put them elsewhere"
                .formatted(Plural.of(leftOut.size(), "file"), leftOut.get(0)));
      }
      found.sort(Comparator.comparing(InputFile::path));
      requireSameColumns();
      return new InputFiles(
          roots.stream().map(root -> root.getPath().toString()).toList(), List.copyOf(found));
    }

    /** The folders between the option {@code basePath} and a root. */
    private List<PartitionFolder> above(FileSystem files, FileStatus root) {
      List<PartitionFolder> folders = new ArrayList<>();
      if (base.isPresent()) {
        String end = files.makeQualified(base.get()).toString();
        Path folder = root.isDirectory() ? root.getPath() : root.getPath().getParent();
        while (folder != null && !folder.toString().equals(end)) {
          partition(folder.getName()).ifPresent(p -> folders.add(0, p));
          folder = folder.getParent();
        }
        if (folder == null) {
          throw new InputException(
              "option basePath = %s is not above %s".formatted(end, root.getPath()));
        }
      }
      return folders;
    }

    private void list(
        FileSystem files, FileStatus folder, List<PartitionFolder> partitions, boolean isLeftOut)
        throws IOException {
      FileStatus[] children = files.listStatus(folder.getPath());
      Arrays.sort(children, Comparator.comparing(FileStatus::getPath));
      for (FileStatus child : children) {
        String name = child.getPath().getName();
        if (isHidden(name)) {
          refuseData(child);
        } else if (!child.isDirectory()) {
          if (accepts(child) && isLeftOut) {
            leftOut.add(child.getPath().toString());
          } else if (accepts(child)) {
            found.add(file(child, partitions));
          }
        } else {
          Optional<PartitionFolder> partition = isRecursive ? Optional.empty() : partition(name);
          List<PartitionFolder> inner = new ArrayList<>(partitions);
          partition.ifPresent(inner::add);
          list(files, child, inner, isLeftOut || (partition.isEmpty() && !isRecursive));
        }
      }
    }

    /** Refuses a file of data whose name says that it is none. */
    private void refuseData(FileStatus file) {
      String name = file.getPath().getName();
      if (!file.isDirectory()
          && name.startsWith("_")
          && name.toLowerCase(Locale.ROOT)
              .matches(".*\\.%s(\\.(gz|bz2|zst|xz|lz4|snappy|deflate))?".formatted(extension))
          && accepts(file)) {
        throw new InputException(
            "%s would not be read, as names that begin with _ are not those of data: give it another name"
                .formatted(file.getPath()));
      }
    }

    private boolean accepts(FileStatus file) {
      return file.getModificationTime() < before
          && file.getModificationTime() > after
          && (filter.isEmpty() || filter.get().matches(file.getPath().getName()));
    }

    private static Optional<Long> millis(Options options, String name) {
      return options
          .text(name)
          .map(TextColumn.of("option " + name, DataTypes.TimestampType, TextFormats.iso())::value)
          .map(micros -> Math.floorDiv((long) micros, 1000));
    }

    private void requireSameColumns() {
      for (InputFile file : found) {
        List<String> columns = columns(file);
        if (!columns.equals(columns(found.get(0)))) {
          throw new InputException(
              "%s lies in folders of %s, and %s in folders of %s: all must lie in the same"
                  .formatted(
                      found.get(0).path(),
                      shown(columns(found.get(0))),
                      file.path(),
                      shown(columns)));
        }
      }
    }

    private static List<String> columns(InputFile file) {
      return file.partitions().stream().map(PartitionFolder::name).toList();
    }

    private static String shown(List<String> columns) {
      return columns.isEmpty() ? "no column" : String.join(", ", columns);
    }

    /**
     * What a pattern matches, folder by folder, since Hadoop's own way fails at a colon in a name.
     */
    private static List<FileStatus> matches(FileSystem files, Path pattern) throws IOException {
      List<String> parts = new ArrayList<>();
      Path top = pattern;
      for (; top.getParent() != null; top = top.getParent()) {
        parts.add(0, top.getName());
      }
      List<FileStatus> found = new ArrayList<>();
      status(files, top).ifPresent(found::add);
      for (String part : parts) {
        GlobPattern glob = new GlobPattern(part);
        List<FileStatus> next = new ArrayList<>();
        for (FileStatus folder : found) {
          if (!folder.isDirectory()) {
            continue;
          }
          if (!glob.hasWildcard()) {
            status(files, new Path(folder.getPath(), new Path(null, null, part)))
                .ifPresent(next::add);
            continue;
          }
          FileStatus[] children = files.listStatus(folder.getPath());
          Arrays.sort(children, Comparator.comparing(FileStatus::getPath));
          for (FileStatus child : children) {
            String name = child.getPath().getName();
            if (glob.matches(name) && (!isHidden(name) || part.startsWith(name.substring(0, 1)))) {
              next.add(child);
            }
          }
        }
        found = next;
      }
      return found;
    }

    private static Optional<FileStatus> status(FileSystem files, Path path) throws IOException {
      try {
        return Optional.of(files.getFileStatus(path));
      } catch (FileNotFoundException e) {
        return Optional.empty();
      }
    }

    private static InputFile file(FileStatus file, List<PartitionFolder> partitions) {
      return new InputFile(
          file.getPath().toString(),
          file.getLen(),
          file.getModificationTime(),
          List.copyOf(partitions));
    }

    private static Optional<PartitionFolder> partition(String folder) {
      int equals = folder.indexOf('=');
      return equals < 1
          ? Optional.empty()
          : Optional.of(
              new PartitionFolder(
                  ExternalCatalogUtils.unescapePathName(folder.substring(0, equals)),
                  ExternalCatalogUtils.unescapePathName(folder.substring(equals + 1))));
    }

    /**
     * Whether a name is that of a marker, a log or a file in the making, as Spark and Hive have it.
     */
    private static boolean isHidden(String name) {
      return name.startsWith(".")
          || name.endsWith("._COPYING_")
          || (name.startsWith("_") && !name.contains("="));
    }
  }
}

package dev.tarn.etl;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Hadoop's files of this machine. Hadoop starts two processes {@code chmod} for each file that it
 * makes; this asks the system itself. Tests make thousands of files.
 */
public final class QuickLocalFiles extends LocalFileSystem {

  /** Hadoop calls this. */
  public QuickLocalFiles() {
    super(new Raw());
  }

  private static final class Raw extends RawLocalFileSystem {
    @Override
    public void setPermission(Path file, FsPermission permission) throws IOException {
      Files.setPosixFilePermissions(
          pathToFile(file).toPath(), PosixFilePermissions.fromString(permission.toString()));
    }
  }
}

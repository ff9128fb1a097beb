package dev.tarn.etl.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Finds files by their paths, on a real file system. */
class TestInputFiles {

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "e[1].csv",
        "e{a}.csv",
        "e?.csv",
        "e*.csv",
        "e_2026-01-05T06:00.csv",
        "_e.csv",
        ".e.csv",
        "e%20 x#.csv",
        "e\\.csv",
        "größe.csv",
        "sub[1]/e.csv"
      })
  void whatExistsByItsVeryNameIsTaken(String name) throws IOException {
    write("e1.csv", "ea.csv", "ex.csv", "sub1/e.csv", name);
    assertThat(found(name, true)).containsExactly(name);
  }

  @Test
  void aPatternIsOneOnlyWherePatternsAreAllowed() throws IOException {
    write("e1.csv", "ea.csv", "x:y.csv", "_e.csv", "d=1/a.csv", "d=2/a.csv", "d=2/b.csv");
    assertThat(found("e[0-9].csv", true)).containsExactly("e1.csv");
    assertThat(found("e{1,a}.csv", true)).containsExactly("e1.csv", "ea.csv");
    assertThat(found("?*.csv", true)).containsExactly("e1.csv", "ea.csv", "x:y.csv");
    assertThat(found("d=*/a.csv", true)).containsExactly("d=1/a.csv", "d=2/a.csv");
    assertThat(found("{d=1/a,d=2/b}.csv", true)).containsExactly("d=1/a.csv", "d=2/b.csv");
    for (String name : List.of("e[0-9].csv", "nothing", "e1.csv/a.csv")) {
      assertRefused("there is no such file or folder", name, false);
    }
    assertRefused("there is no such file or folder", "n*", true);
  }

  @Test
  void allFilesOfAFolderAreTakenOrRefused() throws IOException {
    write(
        "a.csv",
        "b:c.csv",
        "_SUCCESS",
        "_manifest.json",
        ".a.csv.crc",
        "_logs/x.csv",
        "no/_y.csv.tmp");
    assertThat(found("", false)).containsExactly("a.csv", "b:c.csv");
    write("2026/01/b.csv", "2026/02/b.csv");
    assertRefused(
        "2 files in its subfolders would not be read, e.g. file:" + folder + "/2026/01/b.csv;",
        "",
        false);
    assertThat(found("", false, "recursiveFileLookup", "true"))
        .containsExactly("2026/01/b.csv", "2026/02/b.csv", "a.csv", "b:c.csv");
    assertThat(found("", false, "RecursiveFileLookup", "true", "pathGlobFilter", "b.*"))
        .containsExactly("2026/01/b.csv", "2026/02/b.csv");
    assertThat(found("", false, "recursiveFileLookup", "true", "modifiedAfter", "2999-01-01"))
        .isEmpty();
  }

  @Test
  void aHiddenFileOfDataIsRefused() throws IOException {
    write("a.csv", "_2026.CSV.gz");
    assertRefused("_2026.CSV.gz would not be read, as names that begin with _", "", false);
  }

  @Test
  void foldersMakeColumns() throws IOException {
    write(
        "t/store=007/day=1/a.csv",
        "t/store=7/day=1/a.csv",
        "t/store=a%2Fb/day=__HIVE_DEFAULT_PARTITION__/a.csv");
    InputFiles files = find("t", false);
    assertThat(files.partitionColumns()).containsExactly("store", "day");
    assertThat(files.files())
        .extracting(file -> file.partitions().get(0).value())
        .containsExactlyInAnyOrder("007", "7", "a/b");
    assertThat(find("t/store=7", false).partitionColumns()).containsExactly("day");
    assertThat(
            find("t/store=7", false, "basePath", folder.resolve("t").toString()).partitionColumns())
        .containsExactly("store", "day");
    assertRefused("option basePath = ", "t", false, "basePath", "/elsewhere");
    write("t/b.csv");
    assertRefused("all must lie in the same", "t", false);
  }

  @Test
  void aFingerprintTellsWhatChanged() throws IOException {
    write("t/a.csv");
    String before = find("t", false).fingerprint();
    assertThat(before).startsWith("files 1 bytes 1 sha256 ");
    assertThat(find("t", false).fingerprint()).isEqualTo(before);
    Files.writeString(folder.resolve("t/a.csv"), "xy");
    assertThat(find("t", false).fingerprint()).startsWith("files 1 bytes 2 ").isNotEqualTo(before);
  }

  private void assertRefused(String message, String name, boolean isPattern, String... options) {
    assertThatThrownBy(() -> find(name, isPattern, options))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(message);
  }

  private List<String> found(String name, boolean isPattern, String... options) {
    List<String> names = new ArrayList<>();
    String above = "file:" + folder + "/";
    for (InputFile file : find(name, isPattern, options).files()) {
      names.add(file.path().substring(above.length()));
    }
    return names;
  }

  private InputFiles find(String name, boolean isPattern, String... options) {
    Map<String, String> all = new HashMap<>();
    for (int i = 0; i < options.length; i += 2) {
      all.put(options[i], options[i + 1]);
    }
    return InputFiles.find(
        new Configuration(),
        folder.toString() + (name.isEmpty() ? "" : "/" + name),
        "csv",
        isPattern,
        all);
  }

  private void write(String... names) throws IOException {
    for (String name : names) {
      Path file = folder.resolve(name);
      Files.createDirectories(file.getParent());
      Files.writeString(file, "x");
    }
  }
}

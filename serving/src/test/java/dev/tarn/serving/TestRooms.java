package dev.tarn.serving;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Checks that dependencies between the rooms of this module point one way. */
class TestRooms {

  private static final String ROOT = "dev.tarn.serving";

  /** The rooms, each with those that it may use. */
  private static final Map<String, Set<String>> ROOMS =
      Map.of(
          "rpc", Set.of("lookup", "access", "ops", "redis"),
          "lookup", Set.of("live", "world", "access", "ops", "redis"),
          "live", Set.of("world", "ops", "redis"),
          "world", Set.of("ops", "redis"),
          "access", Set.of("ops"),
          "ops", Set.of(),
          "redis", Set.of(),
          "client", Set.of());

  private static final JavaClasses SERVING =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(ROOT);

  @Test
  void noRoomsFormACycle() {
    slices().matching(ROOT + ".(*)..").should().beFreeOfCycles().check(SERVING);
  }

  @ParameterizedTest
  @MethodSource("rooms")
  void aRoomUsesOnlyThoseBelowIt(String room) {
    List<String> allowed =
        Stream.concat(Stream.of(room), ROOMS.get(room).stream())
            .map(name -> ROOT + "." + name + "..")
            .toList();

    classes()
        .that()
        .resideInAPackage(ROOT + "." + room + "..")
        .should()
        .onlyDependOnClassesThat(
            resideOutsideOfPackage(ROOT + "..")
                .or(resideInAnyPackage(allowed.toArray(String[]::new))))
        .check(SERVING);
  }

  @Test
  void onlyTheEntranceIsInNoRoom() {
    classes()
        .that()
        .resideInAPackage(ROOT)
        .and()
        .areTopLevelClasses()
        .should()
        .haveNameMatching(".*\\.(Main|LookupServer|ServingSettings|package-info)")
        .check(SERVING);
  }

  @Test
  void onlyRpcAccessAndOpsKnowTheGrpcServer() {
    noClasses()
        .that()
        .resideInAnyPackage(
            ROOT + ".lookup..", ROOT + ".live..", ROOT + ".world..", ROOT + ".redis..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.grpc..")
        .check(SERVING);
  }

  @Test
  void servingKnowsNothingOfEtlAndBenchmarks() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.tarn.etl..", "dev.tarn.bench..")
        .check(SERVING);
  }

  @Test
  void eachRoomIsListedAndDescribed() throws IOException {
    Set<String> described = new HashSet<>();
    try (Stream<Path> files = Files.walk(Path.of("src/main/java/dev/tarn/serving"))) {
      files
          .filter(file -> file.endsWith("package-info.java"))
          .forEach(file -> described.add(file.getParent().getFileName().toString()));
    }
    Set<String> packages = new HashSet<>();
    SERVING.forEach(found -> packages.add(found.getPackageName()));
    packages.remove(ROOT);

    assertThat(described).containsAll(ROOMS.keySet()).contains("serving");
    assertThat(packages)
        .containsExactlyInAnyOrderElementsOf(rooms().map(room -> ROOT + "." + room).toList());
  }

  private static Stream<String> rooms() {
    return ROOMS.keySet().stream();
  }
}

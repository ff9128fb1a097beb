package dev.tarn.etl;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.util.ArrayList;
import java.util.List;

/** The directions in which the rooms of the jobs may depend. */
@AnalyzeClasses(packages = "dev.tarn.etl", importOptions = ImportOption.DoNotIncludeTests.class)
class TestRooms {

  /** The rooms from top to bottom; those of one row do not use each other. */
  private static final List<List<String>> ROWS =
      List.of(
          List.of("dev.tarn.etl"),
          List.of("dev.tarn.etl.job"),
          List.of("dev.tarn.etl.local", "dev.tarn.etl.demo"),
          // A fit joins its spine as training does.
          List.of("dev.tarn.etl.verify", "dev.tarn.etl.expire", "dev.tarn.etl.fit"),
          List.of(
              "dev.tarn.etl.train", "dev.tarn.etl.push", "dev.tarn.etl.read", "dev.tarn.etl.live"),
          List.of("dev.tarn.etl.compute", "dev.tarn.etl.archive", "dev.tarn.etl.base"),
          List.of("dev.tarn.etl.release"),
          List.of("dev.tarn.etl.window"),
          List.of("dev.tarn.etl.source"),
          List.of("dev.tarn.etl.input"),
          List.of("dev.tarn.etl.lake"),
          List.of("dev.tarn.etl.redis"),
          List.of("dev.tarn.etl.catalog"),
          List.of("dev.tarn.etl.definition"),
          List.of("dev.tarn.etl.console"));

  @ArchTest
  static final ArchRule roomsHaveNoCycles =
      slices().matching("dev.tarn.etl.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule noJobUsesAnother =
      slices().assignedFrom(eachJob()).should().notDependOnEachOther();

  @ArchTest
  static final ArchRule etlKnowsNeitherTheServerNorTheBenchmarks =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.tarn.serving..", "dev.tarn.bench..");

  @ArchTest
  static final ArchRule theCatalogNeedsNoSpark =
      noClasses()
          .that()
          .resideInAPackage("dev.tarn.etl.catalog..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.apache.spark..", "org.apache.iceberg.spark..");

  @ArchTest
  static void eachRoomUsesOnlyRoomsBelow(JavaClasses etl) {
    List<String> all = new ArrayList<>();
    for (List<String> row : ROWS) {
      all.addAll(row);
      for (String room : row) {
        List<String> forbidden = new ArrayList<>(all);
        forbidden.remove(room);
        if (!forbidden.isEmpty()) {
          noClasses()
              .that()
              .resideInAPackage(room)
              .should()
              .dependOnClassesThat()
              .resideInAnyPackage(forbidden.toArray(new String[0]))
              .check(etl);
        }
      }
    }
    classes().should().resideInAnyPackage(all.toArray(new String[0])).check(etl);
  }

  /** Makes a slice of each class of the room {@code job}, with the classes inside it. */
  private static SliceAssignment eachJob() {
    return new SliceAssignment() {
      @Override
      public SliceIdentifier getIdentifierOf(JavaClass type) {
        if (!type.getPackageName().startsWith("dev.tarn.etl.job")) {
          return SliceIdentifier.ignore();
        }
        JavaClass outermost = type;
        while (outermost.getEnclosingClass().isPresent()) {
          outermost = outermost.getEnclosingClass().get();
        }
        return SliceIdentifier.of(outermost.getSimpleName());
      }

      @Override
      public String getDescription() {
        return "each job";
      }
    };
  }
}

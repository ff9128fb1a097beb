package dev.tarn.bench;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The directions in which the rooms of the benchmarks, and of what they measure, may depend. */
@AnalyzeClasses(packages = "dev.tarn", importOptions = ImportOption.DoNotIncludeTests.class)
class TestRooms {

  @ArchTest
  static final ArchRule roomsHaveNoCycles =
      slices().matching("dev.tarn.bench.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule noBenchmarkUsesAnother =
      slices()
          .matching("dev.tarn.bench.(*)..")
          .should()
          .notDependOnEachOther()
          .ignoreDependency(
              DescribedPredicate.alwaysTrue(),
              JavaClass.Predicates.resideInAnyPackage(
                  "dev.tarn.bench.testbed", "dev.tarn.bench.process", "dev.tarn.bench.stream"));

  @ArchTest
  static final ArchRule nothingShippedUsesABenchmark =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.tarn.bench..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.tarn.bench..");

  @ArchTest
  static final ArchRule programsOnTheServersClassPathUseNeitherEtlNorSpark =
      noClasses()
          .that()
          .resideInAPackage("dev.tarn.bench.process..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.tarn.etl..",
              "dev.tarn.bench.testbed..",
              "org.apache.spark..",
              "redis.clients..");
}

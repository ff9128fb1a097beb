package dev.tarn;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "dev.tarn", importOptions = DoNotIncludeTests.class)
class TestRooms {

  @ArchTest
  static final ArchRule noPackagesNeedEachOther =
      slices().matching("dev.tarn.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule bothSidesCanUseIt =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.tarn.etl..",
              "dev.tarn.serving..",
              "dev.tarn.bench..",
              "io.lettuce..",
              "redis.clients..",
              "org.apache.iceberg..",
              "org.apache.spark..")
          .because("proto is what Spark jobs and servers agree on; it needs neither of them");
}

package dev.tarn.etl.source;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TestSourceTables {

  private static final String BEFORE = "{\"events\":\"files 2 bytes 1024 sha256 ab\"}";

  @Test
  void filesThatHaveChangedAreToldInWords() {
    assertThat(SourceTables.difference(BEFORE, "{\"events\":\"files 1 bytes 512 sha256 cd\"}"))
        .isEqualTo("it had 2 files of 1,024 bytes, and now it has 1 file of 512 bytes");
    assertThat(SourceTables.difference(BEFORE, "{\"events\":\"files 2 bytes 1024 sha256 cd\"}"))
        .isEqualTo("the 2 files of 1,024 bytes have been written again or renamed since");
  }
}

package dev.tarn.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.aggregate.CorruptStateException;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TestToken {

  @Test
  void anEntryHasItsCells() {
    byte[] cells = new byte[100];
    new Random(1).nextBytes(cells);

    byte[] entry = Token.entry(cells);

    assertThat(entry).hasSize(Token.BYTES + 100);
    assertThat(Token.cells(entry)).isEqualTo(cells);
    assertThat(Token.entry(cells)).isEqualTo(entry);
    assertThat(Token.cells(Token.entry(new byte[0]))).isEmpty();
  }

  @Test
  void everyBitThatChangesIsSeen() {
    byte[] entry = Token.entry(new byte[] {1, 2, 3});
    for (int bit = 0; bit < 8 * entry.length; bit++) {
      byte[] other = Arrays.copyOf(entry, entry.length);
      other[bit / 8] ^= (byte) (1 << bit % 8);
      assertThatThrownBy(() -> Token.cells(other))
          .isInstanceOf(CorruptStateException.class)
          .hasMessage("live cells with a token of others");
    }
    assertThatThrownBy(() -> Token.cells(new byte[7]))
        .isInstanceOf(CorruptStateException.class)
        .hasMessage("live cells of 7 bytes");
  }
}

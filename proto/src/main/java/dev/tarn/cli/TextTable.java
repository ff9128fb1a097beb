package dev.tarn.cli;

import java.util.ArrayList;
import java.util.List;

/** Prints rows of text under a heading, in columns as wide as they need to be. */
public final class TextTable {

  private final List<String[]> rows = new ArrayList<>();
  private final int[] widths;

  public TextTable(String... heading) {
    widths = new int[heading.length];
    row(heading);
  }

  public void row(String... cells) {
    rows.add(cells);
    for (int i = 0; i < widths.length; i++) {
      widths[i] = Math.max(widths[i], cells[i].length());
    }
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (String[] row : rows) {
      StringBuilder line = new StringBuilder("  ");
      for (int i = 0; i < widths.length; i++) {
        line.append(row[i]).append(" ".repeat(widths[i] - row[i].length() + 2));
      }
      text.append(text.isEmpty() ? "" : "\n").append(line.toString().stripTrailing());
    }
    return text.toString();
  }
}

package dev.tarn.cli;

import java.util.Locale;

/** Writes numbers of things as a person would: {@code 1 entity}, {@code 2,000 entities}. */
public final class Plural {

  private Plural() {}

  /** A number with its noun, which is given for one, e.g. {@code feature view}. */
  public static String of(long count, String noun) {
    return String.format(Locale.ROOT, "%,d %s", count, count == 1 ? noun : many(noun));
  }

  /** The word that goes with a number, e.g. {@code is} or {@code are}. */
  public static String choose(long count, String one, String many) {
    return count == 1 ? one : many;
  }

  private static String many(String noun) {
    if (noun.matches(".*[^aeiou]y")) {
      return noun.substring(0, noun.length() - 1) + "ies";
    }
    return noun + (noun.matches(".*(s|x|z|ch|sh)") ? "es" : "s");
  }
}

package dev.tarn.bench.stream;

import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A made-up payment.
 *
 * @param id tells it from others; a repetition has the same
 * @param micros time of the event, since 1970 UTC
 */
public record Payment(long id, int user, long cents, double score, int merchant, long micros) {

  private static final Pattern FORM =
      Pattern.compile(
          "\\{\"payment_id\":\"p(\\d+)\",\"user_id\":(\\d+),\"amount\":(\\d+)\\.(\\d\\d),"
              + "\"score\":([^,]+),\"merchant\":\"m(\\d+)\",\"event_time\":(\\d+)}");

  /** The message of the topic. */
  public byte[] toBytes() {
    long fraction = cents % 100;
    return ("{\"payment_id\":\"p"
            + id
            + "\",\"user_id\":"
            + user
            + ",\"amount\":"
            + cents / 100
            + (fraction < 10 ? ".0" : ".")
            + fraction
            + ",\"score\":"
            + score
            + ",\"merchant\":\"m"
            + merchant
            + "\",\"event_time\":"
            + micros
            + "}")
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Reads a message. */
  public static Payment parse(byte[] message) {
    String text = new String(message, StandardCharsets.UTF_8);
    Matcher form = FORM.matcher(text);
    if (!form.matches()) {
      throw new IllegalArgumentException("no payment: " + text);
    }
    return new Payment(
        Long.parseLong(form.group(1)),
        Integer.parseInt(form.group(2)),
        Long.parseLong(form.group(3)) * 100 + Long.parseLong(form.group(4)),
        Double.parseDouble(form.group(5)),
        Integer.parseInt(form.group(6)),
        Long.parseLong(form.group(7)));
  }
}

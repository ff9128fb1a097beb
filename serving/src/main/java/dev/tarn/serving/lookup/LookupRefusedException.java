package dev.tarn.serving.lookup;

import dev.tarn.cli.Suggestion;
import dev.tarn.serving.access.Caller;
import java.util.Collection;

/**
 * Refuses a lookup before Redis is asked. The message tells the client what is wrong.
 *
 * <p>It has no stack trace: it is an ordinary answer, and bad requests may come in floods.
 */
public final class LookupRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Tells what the client can do about the refusal. */
  public enum Reason {
    /** The request is wrong: change it. */
    INVALID,
    /** The caller may not read this, whether or not it exists. */
    DENIED,
    /** Something that the request needs is not released or not fitted yet: do that first. */
    NOT_READY,
    /** The server can't answer now: try again later. */
    UNAVAILABLE
  }

  /** The length up to which a name from outside is quoted. */
  private static final int MAX_QUOTE = 64;

  private final Reason reason;
  private final String field;

  private LookupRefusedException(Reason reason, String field, String message) {
    super(message, null, false, false);
    this.reason = reason;
    this.field = field;
  }

  static LookupRefusedException invalid(String field, String problem) {
    return new LookupRefusedException(Reason.INVALID, field, problem);
  }

  /**
   * Refuses in the same words whether or not the thing exists.
   *
   * @param what such as {@code feature 'n'}, which the caller's own request has
   */
  static LookupRefusedException denied(String field, Caller caller, String what) {
    return new LookupRefusedException(
        Reason.DENIED,
        field,
        "caller '%s' may not read %s, if there is such a thing".formatted(caller.name(), what));
  }

  static LookupRefusedException notReady(String message) {
    return new LookupRefusedException(Reason.NOT_READY, "", message);
  }

  static LookupRefusedException unavailable(String message) {
    return new LookupRefusedException(Reason.UNAVAILABLE, "", message);
  }

  public Reason reason() {
    return reason;
  }

  /** Returns the request's field that the message is about; empty if it is about none. */
  public String field() {
    return field;
  }

  /** Quotes a name that came from outside, and cuts it if it is longer than names are. */
  static String quote(String name) {
    return "'" + (name.length() <= MAX_QUOTE ? name : name.substring(0, MAX_QUOTE) + "…") + "'";
  }

  /** Suggests a known name like {@link Suggestion#forName}, which would be slow for a long text. */
  static String suggest(String name, Collection<String> known) {
    return name.length() > MAX_QUOTE ? "" : Suggestion.forName(name, known);
  }
}
